/** A video file to the server as a raw body: XHR, because fetch reports no upload progress. */
import {apiError, uploadUrl} from './api.js';

/** The reason, in words, why `file` would be refused; null when there is none to be seen from here. */
export function objection(file, limits, bytesText) {
  if (file.size === 0) return `${file.name} is empty.`;
  if (limits && file.size > limits.upload_bytes) {
    return `${file.name} has ${bytesText(file.size)}; the limit here is ${bytesText(limits.upload_bytes)}.`;
  }
  if (file.type && !/^(video\/|image\/gif|application\/)/.test(file.type)) return `${file.name} is not a video.`;
  return null;
}

/** Sends `file`. Returns {done: Promise of the clip, cancel()}; a cancelled upload rejects with AbortError. */
export function startUpload(file, model, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open('POST', uploadUrl(file.name, model));
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.addEventListener('progress', (event) => onProgress(event.loaded, event.total));
    request.addEventListener('load', () => {
      if (request.status === 200 || request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(apiError(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    });
    request.addEventListener('error', () => reject(apiError(0, '')));
    request.addEventListener('abort', () => reject(new DOMException('cancelled', 'AbortError')));
    request.send(file);
  });
  return {done, cancel: () => request.abort()};
}
