/** Numbers and findings in words: what tooltips, the table and the live region say. Pure text. */

/** A weight: per cent where rows are probabilities, four digits otherwise. */
export function weightText(weight, softmax) {
  if (!softmax) return Math.abs(weight) >= 1e-3 || weight === 0 ? weight.toFixed(4) : weight.toExponential(2);
  const percent = weight * 100;
  if (percent >= 10) return `${percent.toFixed(1)} %`;
  if (percent >= 0.01) return `${percent.toFixed(2)} %`;
  return percent === 0 ? '0 %' : `${percent.toExponential(1)} %`;
}

/** A count and its noun: "1 cell", "2 cells". */
export function countText(count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A span of frames: "8" or "8–9". */
export function framesText({first, last}) {
  return first === last ? `${first}` : `${first}–${last}`;
}

/** A signed difference in seconds; "same time" when cells share frames. */
export function differenceText(seconds) {
  if (seconds === 0) return 'same time';
  return `${seconds > 0 ? '+' : '−'}${Math.abs(seconds).toFixed(2)} s`;
}

/** Seconds with two decimals. */
export function secondsText(seconds) {
  return `${seconds.toFixed(2)} s`;
}

/** How many of the top arrows the strip cannot show, for `asked` is whether it shows where they start; empty when it shows them all. */
export function hiddenText(hidden, count, asked = true) {
  if (!hidden) return '';
  return `${hidden} of ${count} ${asked ? 'end in frames' : 'start in a frame'} not shown`;
}

/** A grid: "16 × 28 × 28". */
export function gridText({t, h, w}) {
  return `${t} × ${h} × ${w}`;
}

/** A size in bytes: "3.2 MB". */
export function bytesText(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(bytes >= 1e8 ? 0 : 1)} MB` : `${Math.max(1, Math.round(bytes / 1e3))} kB`;
}

/** A duration for people: "8 s", "2 min 5 s". */
export function durationText(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
}

/** The length of a video: two decimals while it is short, where whole seconds would say little. */
export function lengthText(seconds) {
  return seconds < 10 ? secondsText(seconds) : durationText(seconds);
}

const KINDS = {
  gaussian: 'Gaussian', embedded_gaussian: 'embedded Gaussian',
  dot_product: 'dot product', concatenation: 'concatenation',
};

/** The paper's own name of an affinity kind. */
export function kindText(kind) {
  return KINDS[kind] ?? kind;
}

const STAGES = {
  queued: 'Waiting for a free worker', decode: 'Decoding the video', network: 'Running the network',
  write: 'Writing the affinities', done: 'Done',
};

/** A job's stage in words. */
export function stageText(stage) {
  return STAGES[stage] ?? stage;
}
