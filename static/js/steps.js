/**
 * A pair (pair.js) in six cards: what the block does with it, with its own numbers. Pure text. Equations are those of
 * Wang et al. 2018; what differs between the four kinds of affinity is said where it differs.
 */
import {weightText} from './words.js';

/** At most four digits, whatever the size: "12.34", "0.000312", "1.20e-9". */
export function digits(value) {
  const size = Math.abs(value);
  if (value === 0) return '0';
  return size >= 1e-4 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

/** The cards of `pair`: [{title, formula, source, value, words}] in the order of the computation. */
export function stepsOf(pair) {
  return [compared(pair), scaled(pair), relation(pair), summed(pair), weighted(pair), carried(pair)];
}

function compared({kind, channels, dot}) {
  const how = {
    gaussian: {
      formula: 'xᵢᵀ xⱼ', source: 'Eq. 2',
      words: `The features themselves are compared, ${channels} numbers each: no projection is learned. Their products are added up.`,
    },
    concatenation: {
      formula: 'w_fᵀ [θ(xᵢ), φ(xⱼ)] = aᵢ + bⱼ', source: 'Eq. 5',
      words: 'w_f weighs θ(xᵢ) and φ(xⱼ) put end to end, so each place brings one number of its own and the two are added.',
    },
  }[kind] ?? {
    formula: 'θ(xᵢ)ᵀ φ(xⱼ)', source: kind === 'dot_product' ? 'Eq. 4' : 'Eq. 3',
    words: `Two learned projections: θ of the place that asks, φ of the place that answers, ${channels} numbers each. Their products are added up.`,
  };
  return {title: 'Compare', ...how, value: digits(dot)};
}

function scaled({scale, channels, logit}) {
  const root = Math.abs(scale * Math.sqrt(channels) - 1) < 1e-3;
  const words = scale === 1
    ? 'This network takes the sum as it is, as the paper does.'
    : `This network multiplies by ${digits(scale)}${root ? `, 1/√${channels}, as Transformers do` : ''}; the paper's equations have no such factor.`;
  return {title: 'Scale', formula: `× ${digits(scale)}`, source: 'Sec. 3.2', value: digits(logit), words};
}

function relation({kind, seen, logit, peak, f, strongest}) {
  if (!seen) {
    return {title: 'Out of reach', formula: 'f = 0', source: '', value: '0', words: 'The two places lie in different groups; this block relates only places of one group.'};
  }
  if (kind === 'dot_product') {
    return {title: 'No exponential', formula: 'f = θ(xᵢ)ᵀ φ(xⱼ)', source: 'Eq. 4', value: digits(f), words: 'The product itself is the affinity. It may be negative: such a place is subtracted.'};
  }
  if (kind === 'concatenation') {
    return {title: 'ReLU', formula: 'f = ReLU(aᵢ + bⱼ)', source: 'Eq. 5', value: digits(f), words: logit < 0 ? 'The sum is negative, so the affinity is 0.' : 'The sum is positive and passes as it is; a negative one would become 0.'};
  }
  const {t, h, w} = strongest;
  const words = logit === peak
    ? 'Only differences count, so the highest logit of the row is subtracted first. It is this one: f = 1.'
    : `Only differences count, so the highest logit of the row (${digits(peak)}, at t ${t}, h ${h}, w ${w}) is subtracted first: that place has f = 1.`;
  return {title: 'Exponential', formula: 'f = exp(logit − highest)', source: kind === 'gaussian' ? 'Eq. 2' : 'Eq. 3', value: digits(f), words};
}

function summed({softmax, keys, norm}) {
  return softmax ? {
    title: 'Sum', formula: 'C(x) = Σⱼ f(xᵢ, xⱼ)', source: 'Eq. 1', value: digits(norm),
    words: `Over the ${keys} places that xᵢ sees, in the same units. It would be ${keys} if all were alike, 1 if only one counted.`,
  } : {
    title: 'Count', formula: 'C(x) = N', source: 'Sec. 3.2', value: String(keys),
    words: `Divided by the number of places that xᵢ sees, not by a sum: the size of the clip should not matter.`,
  };
}

function weighted({softmax, p, rank, keys, even}) {
  const place = `Rank ${rank} of ${keys} in the row of xᵢ`;
  const words = softmax ? `${place}, ${digits(p / even)} times an even share. Each row sums to 100 %.` : `${place}. A row need not sum to 1.`;
  return {title: 'Weight', formula: 'pᵢⱼ = f / C(x)', source: 'Eq. 1', value: weightText(p, softmax), words};
}

function carried({carried: length, contribution, added}) {
  const card = {title: 'Carry', formula: 'yᵢ = Σⱼ pᵢⱼ g(xⱼ),  zᵢ = W_z yᵢ + xᵢ', source: 'Eq. 1, 6'};
  if (contribution === null) {
    return {...card, value: '–', words: 'g(xⱼ) is what the place has to say, and the weight lets that share of it through. This clip was analysed before its length was kept; analyse it again to see it.'};
  }
  const whole = added === null ? '' : ` All places together change xᵢ by ${(100 * added).toFixed(1)} % of its length.`;
  return {...card, value: digits(contribution), words: `What xⱼ has to say, W_z g(xⱼ), is ${digits(length)} long; the weight lets this much of it through.${whole}`};
}
