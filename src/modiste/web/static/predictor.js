// Predicts photos over HTTP. The static page has a module of this name with the same interface that runs the model.
import { NO_SERVER, PhotoError } from "./photo-error.js";

const TOP = 100; // classes of a response at most, so that all classes of a group are among them
const MAX_WAIT = 300_000; // milliseconds for which a busy service is asked again
const DEFAULT_RETRY = 1; // seconds, where the response does not say
const BUSY = [502, 503, 504]; // from a proxy, too, while the service restarts

// Returns `about` (models and samples), the traits of this predictor, and the function predict().
export async function createPredictor() {
  const about = await (await fetch("about")).json();
  return { ...about, predict, concurrency: 4, hasHeatmap: true, docs: "docs", privacy: "privacy" };
}

// Predicts a photo, a Blob; without a model name the service chooses one. Options: model, preview, heatmap, signal.
// Waits while the service is busy; raises a PhotoError, or the AbortError of the signal.
async function predict(photo, { model = "", preview = false, heatmap = false, signal } = {}) {
  const url = `predict?top=${TOP}&preview=${preview}&heatmap=${heatmap}&model=${encodeURIComponent(model)}`;
  const request = { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" }, signal };
  const deadline = Date.now() + MAX_WAIT;
  for (;;) {
    const response = await send(url, request);
    if (!BUSY.includes(response.status) || Date.now() > deadline) return readRecord(response);
    const seconds = Number(response.headers.get("Retry-After")) || DEFAULT_RETRY;
    await new Promise((resolve) => setTimeout(resolve, 1000 * seconds * (1 + Math.random() / 2))); // not all at once
    signal?.throwIfAborted();
  }
}

async function send(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    throw error.name === "AbortError" ? error : new PhotoError(NO_SERVER);
  }
}

async function readRecord(response) {
  const record = await response.json().catch(() => ({})); // a proxy responds with HTML
  if (response.ok) return record;
  throw new PhotoError(response.status, record.error);
}
