/**
 * A clip's job as it goes on: server-sent events (the browser resumes them with Last-Event-ID by itself),
 * and polling where events do not come through, as behind some proxies.
 */
import {eventsUrl, readClip} from './api.js';

const FINAL = ['done', 'failed', 'cancelled'];
const POLL_MS = 1500;
const PATIENCE = 3; // broken connections in a row before polling takes over

/** True when nothing more will happen to the clip. */
export function isFinal(clip) {
  return FINAL.includes(clip.state);
}

/** Calls onClip(clip) at each change until a final state, onTrouble(error) when the server is away. Returns stop(). */
export function watchClip(id, onClip, onTrouble) {
  let stopped = false;
  let source = null;
  let broken = 0;
  const stop = () => { stopped = true; source?.close(); };
  const tell = (clip) => {
    if (stopped) return;
    if (isFinal(clip)) stop();
    onClip(clip);
  };

  const poll = async () => {
    while (!stopped) {
      try {
        tell(await readClip(id));
      } catch (error) {
        onTrouble(error);
        if (error.status === 404) stop();
      }
      await new Promise((resume) => { setTimeout(resume, POLL_MS); });
    }
  };

  source = new EventSource(eventsUrl(id));
  source.addEventListener('clip', (event) => { broken = 0; tell(JSON.parse(event.data)); });
  source.addEventListener('error', () => {
    broken += 1;
    if (stopped || (broken < PATIENCE && source.readyState !== EventSource.CLOSED)) return;
    source.close();
    poll();
  });
  return stop;
}
