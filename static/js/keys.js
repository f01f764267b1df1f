/** The keyboard: which key does what, as one table that the help dialog shows too. No DOM but the event. */

/** [keys, what they do in words]; actionFor() below is the deed. */
export const KEYS = [
  [['←', '→', '↑', '↓'], 'move by a cell'],
  [[',', '.'], 'a frame back, a frame on'],
  [['Shift ←', 'Shift ↓'], 'stretch the cursor into a region (also Shift and drag)'],
  [['Enter'], 'pin the question, or take its pin away'],
  [['Esc'], 'clear all questions'],
  [['[', ']'], 'the block before, the block after'],
  [['+', '−', '0'], 'zoom in, zoom out, show the whole'],
  [['Space'], 'play or pause (player)'],
  [['?'], 'show these keys'],
];

/** Keys that mean something only while the stage has the focus or the pointer: elsewhere they scroll or press. */
const ON_STAGE = {
  ArrowLeft: {type: 'move', rows: 0, columns: -1},
  ArrowRight: {type: 'move', rows: 0, columns: 1},
  ArrowUp: {type: 'move', rows: -1, columns: 0},
  ArrowDown: {type: 'move', rows: 1, columns: 0},
  Enter: {type: 'pinCursor'},
  ' ': {type: 'play'},
};

const EVERYWHERE = {
  ',': {type: 'frameStep', by: -1},
  '.': {type: 'frameStep', by: 1},
  Escape: {type: 'clear'},
  '[': {type: 'blockStep', by: -1},
  ']': {type: 'blockStep', by: 1},
  '+': {type: 'zoom', by: 1.5},
  '=': {type: 'zoom', by: 1.5},                               // + without Shift on many keyboards
  '-': {type: 'zoom', by: 1 / 1.5},
  0: {type: 'zoom', by: 0},
  '?': {type: 'help'},
};

/** The action of a keydown `event`, or null; `onStage` is true while the stage has the focus or the pointer. */
export function actionFor(event, {onStage}) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const action = EVERYWHERE[event.key] ?? (onStage ? ON_STAGE[event.key] : null) ?? null;
  return event.shiftKey && action?.type === 'move' ? {...action, type: 'extend'} : action;
}
