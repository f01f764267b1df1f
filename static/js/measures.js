/**
 * A block's measures (GET /clips/{id}/blocks/{block}/measures) as words and bars, and which frames to show so that a
 * place can be seen. No DOM. The formulas are in nonlocal_core/affinity/measures.py.
 */
import {timeColour} from './colour.js';

/** The measures that are one number: how they are called and the sentence that says what they mean. */
export const MEASURES = [
  {key: 'dependence', name: 'Rows differ', sentence: 'Mean distance of two places’ rows: 0 where every place looks at the same keys, 1 where no two share one.'},
  {key: 'outside', name: 'Goes far', sentence: 'Share of the weight more than one cell away from the asked place, in time, row or column.'},
  {key: 'entropy', name: 'Spread', sentence: 'Entropy of a row: 1 where all keys get the same, 0 where one gets all.'},
  {key: 'time', name: 'Time', sentence: 'Weight by time difference, from earlier to later; the line is what even rows would give.'},
  {key: 'hubs', name: 'Hubs', sentence: 'Share of all weight on the 1 % of keys that get most, and the eight that get most. Choose one to see who looks at it.'},
];

/** A share in per cent; "–" for what is no number. */
export function shareText(share) {
  if (share === null) return '–';
  const percent = 100 * share;
  return `${percent.toFixed(percent < 9.95 ? 1 : 0)} %`;
}

/** The number of a measure: {value, beside: what an even row would give, or empty}. */
export function numberText(key, measures, keys) {
  const fixed = (value) => (value === null ? '–' : value.toFixed(2));
  if (key === 'dependence' || key === 'entropy') return {value: fixed(measures[key]), beside: ''};
  if (key === 'outside') return {value: shareText(measures.outside), beside: `even: ${shareText(measures.outside_evenly)}`};
  return {value: shareText(measures.hub_mass), beside: `even: ${shareText(Math.ceil(keys / 100) / keys)}`};
}

/** The mass before, at and after the place's own time step: {earlier, same, later}; null where there is none. */
export function sidesOf(byTime) {
  const sum = (keep) => byTime.filter(({steps}) => keep(steps)).reduce((mass, step) => (step.mass === null ? null : mass + step.mass), 0);
  return {earlier: sum((steps) => steps < 0), same: sum((steps) => steps === 0), later: sum((steps) => steps > 0)};
}

/** The chart in words. */
export function sidesText(byTime) {
  const {earlier, same, later} = sidesOf(byTime);
  return `${shareText(earlier)} earlier, ${shareText(same)} same time, ${shareText(later)} later`;
}

/**
 * Bars of the mass by time difference in a box of width x height: {bars: [{x, y, width, height, colour}], line: points
 * of the even row at the bars' middles [[x, y]]}; the longest of bars and line is as high as the box.
 */
export function timeBars(byTime, {width, height}) {
  const highest = Math.max(1e-9, ...byTime.flatMap(({mass, evenly}) => [mass ?? 0, evenly ?? 0]));
  const pitch = width / byTime.length, gap = Math.min(1, pitch / 4);
  const reach = Math.max(1, (byTime.length + 1) / 2);
  const bars = byTime.map(({steps, mass}, n) => {
    const high = height * (mass ?? 0) / highest;
    return {x: n * pitch + gap / 2, y: height - high, width: pitch - gap, height: high, colour: timeColour(steps / reach)};
  });
  return {bars, line: byTime.map(({evenly}, n) => [(n + 0.5) * pitch, height - height * (evenly ?? 0) / highest])};
}

/**
 * `frames` so that each of `places` = {frame, frames: [first, last]} is seen: where none of them shows a place, the one
 * nearest to it that shows no other place gives way to the place's own; where there is no such one, it is added.
 */
export function framesShowing(frames, places) {
  const shows = ({frames: [first, last]}) => (frame) => frame >= first && frame <= last;
  return places.reduce((shown, place) => {
    if (shown.some(shows(place))) return shown;
    const free = shown.filter((frame) => !places.some((other) => shows(other)(frame)));
    const nearest = Math.min(...free.map((frame) => Math.abs(frame - place.frame)));
    const gone = free.find((frame) => Math.abs(frame - place.frame) === nearest);
    return [...shown.filter((frame) => frame !== gone), place.frame].sort((a, b) => a - b);
  }, frames);
}
