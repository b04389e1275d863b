// The page: each input calls requestPrediction(), which shows the response with showPrediction().
import { TEXTS } from "./texts.js";

const MAX_PIXELATED = 64; // images up to this width, in pixels, are enlarged without smoothing
const FRAME_SIZE = 320; // longer side of a camera frame in pixels: larger ones only take longer to send
const NONE_OF_THESE = "none of these"; // the class that a model predicts instead of abstaining
const RETRY_DELAY = 1000; // milliseconds before the next camera frame after an error
const $ = (id) => document.getElementById(id);

let language = (localStorage.getItem("language") ?? navigator.language).startsWith("zh") ? "zh" : "en";
let about = null; // the response of /about: models and samples
let renderStatus = null; // shows the current status or prediction again, after a change of language
let requestNumber = 0; // of the newest request: the responses of earlier ones are ignored

const text = (key, values = {}) =>
  TEXTS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const labelText = (label) => TEXTS[language].labels[label] ?? label;
const percent = (fraction) => (100 * fraction).toFixed(1);

// --- output ------------------------------------------------------------------------------------------------------

function renderTexts() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  $("language-button").textContent = text("otherLanguage");
  $("language-button").lang = text("otherLanguageCode");
  $("photo").alt = text("photoAlt");
  if (about) {
    $("models").replaceChildren(...about.models.map(createModelRow));
    for (const image of $("samples").querySelectorAll("img")) image.alt = text("sampleAlt", { label: labelText(image.dataset.label) });
  }
  renderStatus();
}

function createModelRow({ name, class_names, scores }) {
  const row = document.createElement("li");
  const title = document.createElement("b");
  title.textContent = name;
  const facts = [text(class_names.includes(NONE_OF_THESE) ? "classesWithNone" : "classes", { count: class_names.length })];
  const split = ["test", "folds", "validation"].find((each) => scores[each]?.n && scores[each].accuracy);
  if (split) {
    const { accuracy, n } = scores[split];
    facts.push(text(split, { accuracy: percent(accuracy), n: n.toLocaleString(language) }));
  }
  row.append(title, " ", facts.join(text("separator")));
  return row;
}

function setStatus(message, className = "") {
  $("status").textContent = message;
  $("live-status").textContent = message;
  $("status").className = className;
}

function showPrediction(record) {
  renderStatus = () => showPrediction(record);
  const { image_size: size, channels, name: model } = about.models.find((each) => each.name === record.model);
  const [{ label: topLabel }] = record.top;
  setStatus(labelText(record.label));
  const details = about.models.length > 1 ? [text("modelName", { model })] : [];
  if (record.label !== topLabel) details.push(text("lowConfidence", { label: labelText(topLabel) }));
  $("details").textContent = details.join(text("separator"));
  $("probabilities").replaceChildren(...record.top.map(createProbabilityRow));
  showFigure("preview", record.preview, text(channels === 1 ? "grayInput" : "colorInput", { size }));
  showFigure("heatmap", record.heatmap, text("heatmap", { label: labelText(topLabel) }));
}

function showFigure(id, source, caption) {
  $(id).hidden = !source;
  if (!source) return;
  const [image, figcaption] = $(id).children;
  if (image.src !== source) image.src = source;
  figcaption.textContent = caption;
}

function createProbabilityRow({ label, probability }) {
  const row = document.createElement("li");
  const [name, track, bar, value] = ["span", "span", "i", "b"].map((tag) => document.createElement(tag));
  name.textContent = labelText(label);
  bar.style.width = `${100 * probability}%`;
  value.textContent = `${percent(probability)}%`;
  track.append(bar);
  row.append(name, track, value);
  return row;
}

// Shows an error: the text of its HTTP status in the language of the page, else the server's message, else the text of `key`.
function showError(key, httpStatus, message) {
  renderStatus = () => setStatus(TEXTS[language].statuses[httpStatus] ?? message ?? text(key), "error");
  renderStatus();
  clearPrediction();
}

function showPlaceholder(key) {
  requestNumber++; // the response of an earlier request belongs to another photo
  renderStatus = () => setStatus(text(key), "placeholder");
  renderStatus();
  clearPrediction();
}

function clearPrediction() {
  $("details").textContent = "";
  $("probabilities").replaceChildren();
  showFigure("preview");
  showFigure("heatmap");
}

// Shows one of the elements in the drop zone and stops the camera for all but the video.
function showInput(id) {
  for (const each of ["hint", "photo", "video", "drawing"]) $(each).hidden = each !== id;
  $("draw-button").setAttribute("aria-pressed", id === "drawing");
  $("camera-button").setAttribute("aria-pressed", id === "video");
  $("clear-button").hidden = id !== "drawing";
  $("live-status").hidden = id !== "video" && id !== "drawing";
  if (id !== "video") stopCamera();
}

// --- requests ----------------------------------------------------------------------------------------------------

// Sends a photo and shows the response; returns whether it is a prediction. Without a model name the server chooses one.
// A failed request for a heat map changes nothing, since the prediction is on show already.
async function requestPrediction(photo, model = "", heatmap = false) {
  const number = ++requestNumber;
  try {
    const response = await fetch(`predict?top=5&preview=true&heatmap=${heatmap}&model=${encodeURIComponent(model)}`, { method: "POST", body: photo, headers: { "Content-Type": "application/octet-stream" } });
    const record = await response.json();
    if (number === requestNumber && response.ok) showPrediction(record);
    else if (number === requestNumber && !heatmap) showError("noServer", response.status, record.error);
    return response.ok;
  } catch {
    if (number === requestNumber && !heatmap) showError("noServer");
    return false;
  }
}

// Requests the prediction first, then the heat map, which takes much longer, unless a newer request was sent.
async function requestWithHeatmap(photo, model) {
  const number = requestNumber + 1;
  if (await requestPrediction(photo, model) && number === requestNumber) requestPrediction(photo, model, true);
}

async function predictPhoto(photo) {
  showInput("photo");
  URL.revokeObjectURL($("photo").src);
  $("photo").src = URL.createObjectURL(photo);
  showPlaceholder("predicting");
  await requestWithHeatmap(photo);
  $("prediction").scrollIntoView({ behavior: "smooth", block: "nearest" }); // on a phone it is below the photo
}

// --- files -------------------------------------------------------------------------------------------------------

$("photo").onload = () => $("photo").classList.toggle("pixelated", $("photo").naturalWidth <= MAX_PIXELATED);
$("photo").onerror = () => $("photo").hidden || showInput("hint"); // a format that the browser cannot show, such as HEIC
$("file-input").onchange = () => {
  if ($("file-input").files.length) predictPhoto($("file-input").files[0]);
  $("file-input").value = ""; // so that choosing the same file again is a change
};

document.ondragover = (event) => { event.preventDefault(); $("dropzone").classList.add("dragover"); };
document.ondragleave = () => $("dropzone").classList.remove("dragover");
document.ondrop = (event) => {
  event.preventDefault();
  $("dropzone").classList.remove("dragover");
  if (event.dataTransfer.files.length) predictPhoto(event.dataTransfer.files[0]);
};
document.onpaste = (event) => {
  if (event.clipboardData.files.length) predictPhoto(event.clipboardData.files[0]);
};

// --- camera: the next frame is sent after the response to the previous one -------------------------------------------

let isOpeningCamera = false;

async function startCamera() {
  if (isOpeningCamera) return; // a second click while the browser asks for permission
  isOpeningCamera = true;
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    showError(isSecureContext ? "noCamera" : "insecureContext");
    return;
  } finally {
    isOpeningCamera = false;
  }
  showInput("video");
  $("video").srcObject = stream;
  const [track] = stream.getVideoTracks();
  $("video").classList.toggle("selfie", track.getSettings().facingMode !== "environment");
  await $("video").play();
  $("frame-rate").hidden = false;
  await predictFrames(stream);
}

async function predictFrames(stream) {
  const start = performance.now();
  const isActive = () => $("video").srcObject === stream; // false after the camera was switched off, even if it is on again
  for (let frames = 1; isActive(); frames++) {
    const frame = await captureFrame();
    if (!isActive()) break; // another input was chosen meanwhile
    if (!(await requestPrediction(frame))) await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
    $("frame-rate").textContent = text("frameRate", { rate: (1000 * frames / (performance.now() - start)).toFixed(1) });
  }
}

function stopCamera() {
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

$("camera-button").onclick = () => {
  if (!$("video").srcObject) return startCamera();
  showInput("hint");
  showPlaceholder("noPhoto");
};

// --- drawing -----------------------------------------------------------------------------------------------------

const pen = $("drawing").getContext("2d", { willReadFrequently: true });

function clearDrawing() {
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, $("drawing").width, $("drawing").height);
  Object.assign(pen, { strokeStyle: "#fff", lineWidth: 22, lineCap: "round", lineJoin: "round" });
  showPlaceholder("noPhoto");
}

function canvasPosition(event) {
  const box = $("drawing").getBoundingClientRect();
  const scale = $("drawing").width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

$("drawing").onpointerdown = (event) => {
  $("drawing").setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(...canvasPosition(event));
  pen.lineTo(...canvasPosition(event));
  pen.stroke();
};
$("drawing").onpointermove = (event) => {
  if (!event.buttons) return;
  pen.lineTo(...canvasPosition(event));
  pen.stroke();
};
// drawings are light on black, like the images that models for gray images were trained on
const drawingModel = () => (about.models.find((each) => each.channels === 1) ?? about.models[0]).name;
$("drawing").onpointerup = () => $("drawing").toBlob((drawing) => $("drawing").hidden || requestWithHeatmap(drawing, drawingModel()), "image/png");
$("draw-button").onclick = () => { clearDrawing(); showInput($("drawing").hidden ? "drawing" : "hint"); };
$("clear-button").onclick = clearDrawing;

// --- start -------------------------------------------------------------------------------------------------------

$("language-button").onclick = () => {
  language = text("otherLanguageCode");
  localStorage.setItem("language", language);
  renderTexts();
};

function createSample({ file, label }) {
  const [row, button, image] = ["li", "button", "img"].map((tag) => document.createElement(tag));
  button.type = "button";
  image.src = file;
  image.dataset.label = label;
  button.onclick = () => fetch(file).then((response) => response.blob()).then(predictPhoto, () => showError("noServer"));
  button.append(image);
  row.append(button);
  return row;
}

showPlaceholder("noPhoto");
renderTexts();
about = await (await fetch("about")).json();
$("samples").append(...about.samples.map(createSample));
renderTexts();
