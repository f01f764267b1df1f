/** What a lens is opened on, from the API's JSON: names as the modules have them, whoever read the JSON. */

/** A block with its grids as in geometry.js. */
export function blockFrom({query_grid: queryGrid, key_grid: keyGrid, features_url: featuresUrl, features_bytes: featuresBytes, ...rest}) {
  return {...rest, queryGrid, keyGrid, featuresUrl, featuresBytes};
}

/** The world {total, times, blocks, clip} of a clip and its blocks (as blockFrom() gives them). */
export function worldOf(clip, blocks) {
  return {total: clip.frames.count, times: clip.frames.times_s, blocks, clip};
}
