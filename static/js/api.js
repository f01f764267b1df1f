/** Every URL of the server, and nothing but requests: JSON in, JSON out, errors as ApiError. */

import {blockFrom} from './world.js';

const API = '/api/v1';
const UNREACHABLE = {code: 'Unreachable', message: 'The server cannot be reached.'};

/** The server's refusal: `code` and `message` are its own words; `retryAfter` in seconds, or null. */
export class ApiError extends Error {
  constructor(status, {code, message}, retryAfter = null) {
    super(message);
    Object.assign(this, {status, code, retryAfter});
  }
}

export const clipPage = (id) => `/clips/${encodeURIComponent(id)}`;
export const galleryPage = () => '/';
export const eventsUrl = (id) => `${clipUrl(id)}/events`;

/** Where the bytes of a video go; `model` may be empty for the server's default. */
export function uploadUrl(filename, model) {
  const parameters = new URLSearchParams({filename, ...(model ? {model} : {})});
  return `${API}/clips?${parameters}`;
}

export const readClips = async () => (await json(`${API}/clips`)).clips;
export const readClip = (id) => json(clipUrl(id));
export const readPredictions = async (id) => (await json(`${clipUrl(id)}/predictions`)).predictions;
export const readOverview = (id) => json(`${clipUrl(id)}/overview`);
export const readBlocks = async (id) => (await json(`${clipUrl(id)}/blocks`)).blocks.map(blockFrom);
export const cancelClip = (id) => json(`${clipUrl(id)}/cancel`, {method: 'POST'});
/** The same video with another model, without another upload. */
export const analyseAgain = (id, model) => json(`${clipUrl(id)}/again?${new URLSearchParams({model})}`, {method: 'POST'});
/** The same video with the same model and variant from another start, in seconds. */
export function analyseFrom({id, model, variant}, startS) {
  return json(`${clipUrl(id)}/again?${new URLSearchParams({model, variant, start_s: startS})}`, {method: 'POST'});
}
/** A null model of the same clip: same model, same start. */
export function analyseVariant({id, model, start_s: startS}, variant) {
  return json(`${clipUrl(id)}/again?${new URLSearchParams({model, start_s: startS, variant})}`, {method: 'POST'});
}
/** Ask for a cut {block, keys, queries}; then follow it with readCut() until its state is done, failed or cancelled. */
export const askCut = (id, wish) => json(`${clipUrl(id)}/cuts`, sent(wish));
export const readCut = ({url}) => json(url);
export const cancelCut = ({url}) => json(`${url}/cancel`, {method: 'POST'});
export const deleteClip = (id) => request(clipUrl(id), {method: 'DELETE'});

/** The top arrows of one question, as the server computes them: for posters, which load no features. */
export function readArrows(id, {block, frame, x, y, k}) {
  return json(`${clipUrl(id)}/arrows?${new URLSearchParams({block, frame, x, y, k})}`);
}

/** What a block does in a clip, in numbers. */
export const readMeasures = (id, block) => json(`${clipUrl(id)}/blocks/${encodeURIComponent(block)}/measures`);
/** Good questions to a block: {stops}. */
export const readTour = (id, block) => json(`${clipUrl(id)}/tour?${new URLSearchParams({block})}`);

/** Where the figure of a link is: `kind` svg, png or pdf, `width` in pixels or null for the usual. */
export function figureUrl(id, kind, query, width = null) {
  const parts = [query, width ? `width=${width}` : ''].filter(Boolean);
  return `${clipUrl(id)}/figure.${kind}${parts.length ? `?${parts.join('&')}` : ''}`;
}

/** Have a film made of a link, or find the one there is: {id, state, progress, error, format, file}. */
export function askFilm(id, query, format) {
  return json(`${clipUrl(id)}/films`, sent({query, format}));
}
export const readFilm = (id, film) => json(`${clipUrl(id)}/films/${film}`);
export const cancelFilm = (id, film) => json(`${clipUrl(id)}/films/${film}/cancel`, {method: 'POST'});

/** The features of a block as an ArrayBuffer; `onProgress(bytes so far)` on the way. */
export async function readFeatures(block, onProgress) {
  const response = await request(block.featuresUrl);
  const reader = response.body.getReader();
  const pieces = [];
  let got = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    pieces.push(step.value);
    got += step.value.length;
    onProgress(got);
  }
  return new Blob(pieces).arrayBuffer();
}

/** A file of data: "arrows", "arrows.csv", "row.csv" or "answer.npz" of a question, or a block's "features". */
export function dataUrl(id, name, block, query) {
  if (name === 'features') return `${clipUrl(id)}/blocks/${encodeURIComponent(block)}/features.npz`;
  return `${clipUrl(id)}/${name}?${new URLSearchParams(query)}`;
}

/** The clip as one HTML file with the features of some blocks, opening on the question `query`. */
export function homeUrl(id, blocks, query) {
  return `${clipUrl(id)}/home.html?${new URLSearchParams({blocks: blocks.join(',')})}${query && `&${query}`}`;
}

/** An ApiError from the status and body text of a failed answer; used by the XHR of upload.js too. */
export function apiError(status, text, retryAfter = null) {
  const unknown = status ? {code: 'Unexpected', message: `The server answered ${status}.`} : UNREACHABLE;
  let error = unknown;
  try {
    error = JSON.parse(text).error ?? unknown;
  } catch {
    // a proxy's HTML page or an empty body: the status is all there is to say
  }
  return new ApiError(status, error, retryAfter ? Number(retryAfter) : null);
}

function clipUrl(id) {
  return `${API}/clips/${encodeURIComponent(id)}`;
}

function sent(wish) {
  return {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(wish)};
}

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new ApiError(0, UNREACHABLE);
  }
  if (!response.ok) throw apiError(response.status, await response.text(), response.headers.get('Retry-After'));
  return response;
}

async function json(url, options) {
  return (await request(url, options)).json();
}
