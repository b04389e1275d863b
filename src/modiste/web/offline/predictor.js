// Predicts photos with the model in this browser: the static page's module in place of the one for HTTP. Photos go to
// a worker, which nothing leaves but predictions.
import { PhotoError } from "./photo-error.js";

let worker;
let calls = 0;
const pending = new Map(); // functions that settle a call, by its id

// Returns `about` (models and samples), the traits of this predictor, and the function predict().
export async function createPredictor() {
  const about = await (await fetch("about.json")).json();
  worker = startWorker();
  await call("load", about.models[0]);
  return { ...about, predict, concurrency: 1, hasHeatmap: false, privacy: "privacyLocal", isOffline: registerServiceWorker() };
}

// A worker of a blob has the page's Content-Security-Policy, which a worker of a file has not: so it, too, can only
// connect to the host that the page is from.
function startWorker() {
  const source = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const started = new Worker(url, { type: "module" });
  started.onmessage = ({ data: { id, ...response } }) => {
    pending.get(id)(response);
    pending.delete(id);
  };
  started.onerror = () => pending.forEach((settle) => settle({ status: 500 }));
  return started;
}

async function call(method, argument) {
  const id = calls++;
  const response = await new Promise((resolve) => {
    pending.set(id, resolve);
    worker.postMessage({ id, method, argument });
  });
  if (response.status) throw new PhotoError(response.status, response.message);
  return response.result;
}

// Predicts a photo, a Blob. Options: preview.
async function predict(photo, { preview = false } = {}) {
  return call("predict", { photo, preview });
}

// Saves all files for use without a connection; resolves when they are saved, never where this is not possible.
async function registerServiceWorker() {
  if (!navigator.serviceWorker) return new Promise(() => {});
  await navigator.serviceWorker.register("service-worker.js");
  await navigator.serviceWorker.ready;
}
