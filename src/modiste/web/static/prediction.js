// The section with the prediction for one photo: its class, probabilities, and what the model receives.
import { create, $ } from "./dom.js";
import { errorText, groupText, labelText, percent, text } from "./i18n.js";
import { closeLabels, NONE_OF_THESE, sumProbabilities } from "./labels.js";

const SHOWN = 5; // classes

let render = () => {}; // shows the current content again, after a change of language
document.addEventListener("texts", () => render());

// The model of a record, and the text of its label, or of the close classes of its group, with the probability of that.
export function describe(record, models) {
  const model = models.find(({ name }) => name === record.model);
  const close = closeLabels(record, model.label_groups);
  if (!close.length) return { model, name: labelText(record.label), probability: record.probability, close };
  return { model, name: groupText(close.map(({ label }) => label)), probability: sumProbabilities(close), close };
}

// Shows a record of one of the predictor's models.
export function showPrediction(record, models) {
  render = () => {
    const top = normalize(record.top);
    const [{ label: topLabel, probability: topShare }] = top;
    const { model, ...description } = describe(record, models);
    setStatus(description.name);
    const details = models.length > 1 ? [text("modelName", { model: model.name })] : [];
    const isAbstained = record.label !== topLabel;
    if (isAbstained) details.push(text("nearest", { label: labelText(topLabel), share: percent(topShare) }));
    const comparison = isAbstained && !model.class_names.includes(NONE_OF_THESE) ? text("classesAlone") : "";
    $("details").textContent = details.join(text("separator")) + comparison;
    $("probabilities").className = isAbstained ? "abstained" : "";
    $("probabilities").replaceChildren(...createRows(isAbstained ? top : record.top, description));
    const size = { size: model.image_size };
    showFigure("preview", record.preview, text(model.channels === 1 ? "grayInput" : "colorInput", size));
    showFigure("heatmap", record.heatmap, text("heatmap", { label: labelText(topLabel) }));
  };
  render();
}

// All classes with their shares of the probability that they have together, which is small for an image unlike those of
// training.
function normalize(top) {
  const total = sumProbabilities(top);
  return top.map(({ label, probability }) => ({ label, probability: probability / total }));
}

// Shows why there is no prediction, a PhotoError.
export function showError(error) {
  showText(() => errorText(error), "error");
}

// Shows the text of a key instead of a prediction.
export function showPlaceholder(key) {
  showText(() => text(key), "placeholder");
}

// Shows the text of a key as an error.
export function showMessage(key) {
  showText(() => text(key), "error");
}

function showText(getText, className) {
  render = () => setStatus(getText(), className);
  render();
  $("details").textContent = "";
  $("probabilities").replaceChildren();
  showFigure("preview");
  showFigure("heatmap");
}

function setStatus(message, className = "") {
  $("status").textContent = message;
  $("status").className = className;
}

function showFigure(id, source, caption) {
  $(id).hidden = !source;
  if (!source) return;
  const [image, figcaption] = $(id).children;
  if (image.src !== source) image.src = source;
  figcaption.textContent = caption;
}

// The rows of the most probable classes; close ones are below a row of their sum.
function createRows(top, { name, probability, close }) {
  const others = top.filter((each) => !close.includes(each)).slice(0, Math.max(SHOWN - close.length, 1));
  const members = close.map((each) => createRow(labelText(each.label), each.probability, "member"));
  const group = close.length ? [createRow(name, probability, "group")] : [];
  return [...group, ...members, ...others.map((each) => createRow(labelText(each.label), each.probability))];
}

function createRow(name, probability, className = "") {
  const bar = create("i");
  bar.style.width = `${100 * probability}%`;
  return create("li", { className }, create("span", {}, name), create("span", {}, bar), create("b", {}, percent(probability)));
}
