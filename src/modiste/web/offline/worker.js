// The worker of the static page: decodes and predicts one photo at a time, so that the page stays responsive.
import * as ort from "./onnxruntime/ort.js";
import { average, calibrate, createViews, toPrediction } from "./calibration.js";
import { decode } from "./decode.js";
import { isOutlier } from "./outliers.js";
import { PhotoError } from "./photo-error.js";
import { toImage } from "./preprocess.js";

let session; // of ONNX Runtime
let model; // as about.json describes it

onmessage = async ({ data: { id, method, argument } }) => {
  try {
    postMessage({ id, result: await METHODS[method](argument) });
  } catch (error) {
    postMessage({ id, ...(error instanceof PhotoError ? { status: error.status, message: error.message } : { status: 500 }) });
  }
};

const METHODS = { load, predict };
const read = async (file) => new Uint8Array(await (await fetch(new URL(file, import.meta.url))).arrayBuffer());

async function load(about) {
  model = about;
  ort.env.wasm.numThreads = 1; // more would need headers that static hosts do not send
  ort.env.wasm.wasmBinary = await read("onnxruntime/ort.wasm");
  session = await ort.InferenceSession.create(await read(model.file), { executionProviders: ["wasm"] });
}

async function predict({ photo, preview }) {
  const image = toImage(await decode(photo), model);
  let probabilities = await run(image);
  if (Math.max(...probabilities) < model.tta_threshold) {
    const lists = [probabilities];
    for (const view of createViews(image, model.tta_crop)) lists.push(await run(view));
    probabilities = average(lists);
  }
  const prediction = toPrediction(calibrate(probabilities, model.temperature), model, isOutlier(image, model.outliers));
  const record = { ...prediction, model: model.name, error: null };
  return preview ? { ...record, preview: await toDataUrl(image) } : record;
}

// The network's probabilities for an image, before calibration.
async function run({ width, height, channels, data }) {
  const input = new ort.Tensor("uint8", data, [1, height, width, ...(channels === 3 ? [3] : [])]);
  const { probabilities } = await session.run({ image: input });
  return [...probabilities.data];
}

async function toDataUrl({ width, height, channels, data }) {
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++)
    for (let channel = 0; channel < 4; channel++) pixels.data[4 * i + channel] = channel === 3 ? 255 : data[channels === 3 ? 3 * i + channel : i];
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return new FileReaderSync().readAsDataURL(await canvas.convertToBlob());
}
