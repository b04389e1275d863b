// The page: each input gives photos to the predictor. One photo is shown with its prediction, several in the table.
import { isCameraOn, startCamera, stopCamera } from "./camera.js";
import { clearDrawing, connectDrawing } from "./drawing.js";
import { $, create } from "./dom.js";
import { currentLanguage, labelText, percent, renderTexts, text } from "./i18n.js";
import { NONE_OF_THESE } from "./labels.js";
import { NO_SERVER, PhotoError } from "./photo-error.js";
import { showError, showMessage, showPlaceholder, showPrediction } from "./prediction.js";
import { createPredictor } from "./predictor.js";
import { createTable } from "./table.js";
import { TEXTS } from "./texts.js";

const MAX_PIXELATED = 64; // images up to this width, in pixels, are enlarged without smoothing
const MAX_LISTED = 12; // classes in the first sentence of the page

let predictor = null; // once it is ready
let table = null;
let requestCount = 0; // the responses of all but the newest request are ignored

// --- texts that depend on the models -----------------------------------------------------------------------------

document.addEventListener("texts", () => {
  $("photo").alt = text("photoAlt");
  $("lead").textContent = predictor ? leadText(predictor.models) : text("loading");
  if (!predictor) return;
  $("privacy").textContent = text(predictor.privacy);
  $("models").replaceChildren(...predictor.models.map(createModelRow));
  for (const image of $("samples").querySelectorAll("img")) image.alt = text("sampleAlt", { label: labelText(image.dataset.label) });
});

// "Classify a photo of a piece of clothing", or with the names of the classes where they are others.
function leadText(models) {
  const names = [...new Set(models.flatMap((model) => model.class_names))].filter((name) => name !== NONE_OF_THESE);
  if (names.every((name) => name in TEXTS.zh.labels)) return text("lead");
  const rest = names.length > MAX_LISTED ? text("more", { count: names.length - MAX_LISTED }) : "";
  return text("ownLead", { names: names.slice(0, MAX_LISTED).map(labelText).join(text("comma")) + rest });
}

function createModelRow({ name, class_names: classes, can_abstain: canAbstain, scores }) {
  const key = classes.includes(NONE_OF_THESE) ? "classesWithNone" : canAbstain ? "classesOrNone" : "classes";
  const facts = [text(key, { count: classes.length })];
  const split = ["test", "folds", "validation"].find((each) => scores[each]?.n && scores[each].accuracy);
  if (split) {
    const { accuracy, n } = scores[split];
    facts.push(text(split, { accuracy: percent(accuracy), n: n.toLocaleString(currentLanguage()) }));
  }
  return create("li", {}, create("b", {}, name), " ", facts.join(text("separator")));
}

// --- one photo ---------------------------------------------------------------------------------------------------

// Shows one of the elements in the drop zone, also where a phone is scrolled past it, and stops the camera for all but
// the video.
function showInput(id) {
  for (const each of ["hint", "photo", "video", "canvas"]) $(each).hidden = each !== id;
  $("draw-button").setAttribute("aria-pressed", id === "canvas");
  $("camera-button").setAttribute("aria-pressed", id === "video");
  $("clear-button").hidden = $("drawing-help").hidden = id !== "canvas";
  if (id !== "video") stopCamera();
  if (id !== "hint") $("picture").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function showNothing() {
  requestCount++; // the response of an earlier request belongs to another photo
  showPlaceholder("noPhoto");
}

// Predicts a photo and shows the record; returns whether there is one. A failed heat map changes nothing.
async function predict(photo, options = {}) {
  const request = ++requestCount;
  try {
    const record = await predictor.predict(photo, { preview: true, ...options });
    if (request === requestCount) showPrediction(record, predictor.models);
    return true;
  } catch (error) {
    if (request === requestCount && !options.heatmap) showError(error instanceof PhotoError ? error : new PhotoError(NO_SERVER));
    return false;
  }
}

// Predicts a photo first, then its heat map, which takes much longer, unless another photo came meanwhile.
async function predictWithHeatmap(photo, options) {
  const request = requestCount + 1;
  const isPredicted = await predict(photo, options);
  if (isPredicted && predictor.hasHeatmap && request === requestCount) await predict(photo, { ...options, heatmap: true });
}

function showPhoto(photo) {
  URL.revokeObjectURL($("photo").src);
  $("photo").src = URL.createObjectURL(photo);
  showInput("photo");
  $("photo").hidden = true; // until it is loaded
  showPlaceholder("predicting");
  predictWithHeatmap(photo);
}

$("photo").onload = () => {
  $("photo").classList.toggle("pixelated", $("photo").naturalWidth <= MAX_PIXELATED);
  $("photo").hidden = [...$("dropzone").children].some((each) => each !== $("photo") && !each.hidden);
};
$("photo").onerror = () => {
  if (isCameraOn() || !$("canvas").hidden) return;
  showInput("hint"); // a format that the browser cannot show, such as HEIC, or a broken file
};

// --- files: one is shown, several are rows of the table ------------------------------------------------------------

async function addFiles(list) {
  const files = [...list]; // the list is emptied when this event is over
  if (!files.length) return;
  await ready;
  if (files.length === 1) return showPhoto(files[0]);
  table.add(files);
  $("photos").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

function connectFiles() {
  $("file-input").onchange = () => {
    addFiles($("file-input").files);
    $("file-input").value = ""; // so that choosing the same file again is a change
  };
  document.ondragover = (event) => { event.preventDefault(); $("dropzone").classList.add("dragover"); };
  document.ondragleave = () => $("dropzone").classList.remove("dragover");
  document.ondrop = (event) => {
    event.preventDefault();
    $("dropzone").classList.remove("dragover");
    addFiles(event.dataTransfer.files);
  };
  document.onpaste = (event) => addFiles(event.clipboardData.files);
}

// --- camera and drawing --------------------------------------------------------------------------------------------

function connectCamera() {
  $("camera-button").onclick = async () => {
    if (isCameraOn()) {
      showInput("hint");
      return showNothing();
    }
    try {
      await startCamera(predict, () => showInput("video"));
    } catch {
      showMessage(isSecureContext ? "noCamera" : "insecureContext");
    }
  };
}

function connectDrawingButtons(grayModel) {
  $("draw-button").hidden = !grayModel;
  connectDrawing((drawing) => $("canvas").hidden || predictWithHeatmap(drawing, { model: grayModel.name }));
  $("draw-button").onclick = () => {
    showInput($("canvas").hidden ? "canvas" : "hint");
    clearDrawing();
    showNothing();
    $("drawing").focus({ preventScroll: true }); // so that the arrow keys draw; nothing happens where it is hidden
  };
  $("clear-button").onclick = () => { clearDrawing(); showNothing(); };
}

// --- start -------------------------------------------------------------------------------------------------------

function createSample({ file, label }) {
  const image = create("img", { src: file });
  image.dataset.label = label;
  const onclick = () => fetch(file).then((response) => response.blob()).then(showPhoto, () => showError(new PhotoError(NO_SERVER)));
  return create("li", {}, create("button", { type: "button", onclick }, image));
}

async function start() {
  predictor = await createPredictor();
  table = createTable(predictor, showPhoto);
  $("file-input").accept = predictor.photo_types.join();
  connectCamera();
  connectDrawingButtons(predictor.models.find(({ channels }) => channels === 1));
  $("docs-link").hidden = !predictor.docs;
  $("docs-link").href = predictor.docs ?? "";
  $("sample-area").hidden = !predictor.samples.length;
  $("samples").append(...predictor.samples.map(createSample));
  predictor.isOffline?.then(() => ($("offline").hidden = false));
  renderTexts();
}

showPlaceholder("noPhoto");
renderTexts();
const ready = start();
ready.catch(() => { $("lead").textContent = ""; showMessage("notLoaded"); });
connectFiles();
