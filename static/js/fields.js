/**
 * The fields of one clip's blocks: loaded when they are first needed, then kept. The lens has one such shelf; a
 * companion that shows another clip has its own.
 */
import {readFeatures} from './api.js';
import {fieldOf} from './field.js';
import {parseSafetensors} from './safetensors.js';
import {bytesText} from './words.js';

/**
 * A shelf for `blocks` (as in api.js). `onChange()` is called whenever now() or words() answer differently,
 * `onTrouble(words, again)` when a block could not be loaded; `again()` forgets the failure.
 */
export function openFields(blocks, onChange = () => {}, onTrouble = () => {}) {
  const entries = new Map();

  function load(name) {
    if (!entries.has(name)) {
      const entry = {field: null, words: `Loading ${name}`};
      entries.set(name, entry);
      entry.promise = fetchField(blocks.find((block) => block.name === name), entry);
      entry.promise.catch(() => {});                         // told through onTrouble; whoever awaits hears it too
    }
    return entries.get(name).promise;
  }

  async function fetchField(block, entry) {
    try {
      const buffer = await readFeatures(block, (got) => {
        entry.words = `Loading ${block.name}, ${bytesText(got)} of ${bytesText(block.featuresBytes)}`;
        onChange();
      });
      entry.field = fieldOf(parseSafetensors(buffer));
      entry.words = '';
      return entry.field;
    } catch (error) {
      entry.words = `${block.name} could not be loaded. ${error.message}`;
      onTrouble(entry.words, () => { entries.delete(block.name); onChange(); });
      throw error;
    } finally {
      onChange();
    }
  }

  return {
    /** Promise of the field of a block; the first call starts loading it. */
    load,
    /** The field if it is here, else null. */
    now: (name) => entries.get(name)?.field ?? null,
    /** What to show while it is not. */
    words: (name) => entries.get(name)?.words ?? '',
  };
}
