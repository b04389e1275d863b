// The camera: frames are predicted one after the other, each after the response to the previous one.
import { $ } from "./dom.js";
import { text } from "./i18n.js";

const FRAME_SIZE = 320; // longer side of a frame in pixels: larger ones only take longer
const RETRY_DELAY = 1000; // milliseconds before the next frame after an error

let isOpening = false;

export const isCameraOn = () => Boolean($("video").srcObject);

// Starts the camera and calls `predictFrame`, which returns whether there is a prediction, until it is stopped.
// `onStart` is called once it runs. Raises the browser's error where there is no camera.
export async function startCamera(predictFrame, onStart) {
  if (isOpening) return; // a second click while the browser asks for permission
  isOpening = true;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } finally {
    isOpening = false;
  }
  onStart();
  $("video").srcObject = stream;
  const [track] = stream.getVideoTracks();
  $("video").classList.toggle("selfie", track.getSettings().facingMode !== "environment");
  await $("video").play().catch(() => {}); // it is switched off before it plays
  $("frame-rate").hidden = false;
  await predictFrames(stream, predictFrame);
}

async function predictFrames(stream, predictFrame) {
  const start = performance.now();
  const isActive = () => $("video").srcObject === stream; // false after it was switched off, even if it is on again
  for (let frames = 1; isActive(); frames++) {
    const frame = await captureFrame();
    if (!isActive()) break; // another input was chosen meanwhile
    if (!(await predictFrame(frame))) await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    $("frame-rate").textContent = text("frameRate", { rate: ((1000 * frames) / (performance.now() - start)).toFixed(1) });
  }
}

export function stopCamera() {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
  $("frame-rate").hidden = true;
}

function captureFrame() {
  const { videoWidth: width, videoHeight: height } = $("video");
  const scale = FRAME_SIZE / Math.max(width, height);
  const canvas = new OffscreenCanvas(Math.round(scale * width), Math.round(scale * height));
  canvas.getContext("2d").drawImage($("video"), 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}
