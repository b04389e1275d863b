// The table of several photos: a row for each with thumbnail, file name and prediction; sortable, and saved as CSV.
import { toCsv } from "./csv.js";
import { $, create } from "./dom.js";
import { currentLanguage, errorText, percent, text } from "./i18n.js";
import { describe } from "./prediction.js";

const CSV_TOP = 3; // classes in a row of the CSV file
const THUMBNAIL = 48; // pixels a side; shown at that size on screens of any density, to save memory

let rows = []; // { file, record, error, element }: record or error once there is one
let queue = createQueue(); // another one after all rows were removed
let thumbnails = Promise.resolve(); // the last one of the chain: one photo at a time is decoded for them
let sorting = { column: null, isDescending: false };

// Connects the table with a predictor; onSelect is called with the file whose name is clicked.
export function createTable(predictor, onSelect) {
  const { models } = predictor;
  $("csv-button").onclick = () => saveCsv(models);
  $("remove-button").onclick = removeAll;
  $("retry-button").onclick = () => retry(predictor);
  headers().forEach((header, column) => (header.firstElementChild.onclick = () => sort(column, models)));
  document.addEventListener("texts", () => {
    for (const row of rows) renderRow(row, models);
    renderProgress();
  });
  return { add: (files) => add(files, predictor, onSelect) };
}

// The rows that no request was started for, the number of loops that take them, and what stops these.
function createQueue() {
  return { waiting: [], running: 0, abort: new AbortController() };
}

const headers = () => [...$("photos").querySelectorAll("th")];

function add(files, predictor, onSelect) {
  const added = files.map((file) => ({ file, record: null, error: null, element: createRow(file, onSelect) }));
  rows.push(...added);
  $("rows").append(...added.map(({ element }) => element));
  $("photos").hidden = false;
  predictRows(added, predictor);
}

// Predicts the photos again that failed because of the service or the connection, not of the photo.
function retry(predictor) {
  const failed = rows.filter(isRetriable);
  for (const row of failed) {
    row.error = null;
    renderRow(row, predictor.models);
  }
  predictRows(failed, predictor);
}

const isRetriable = ({ error }) => error && (error.status < 400 || error.status === 408 || error.status >= 500);

function predictRows(added, predictor) {
  queue.waiting.push(...added);
  renderProgress();
  while (queue.running < predictor.concurrency && queue.waiting.length) predictWaiting(queue, predictor);
}

async function predictWaiting(own, predictor) {
  own.running++;
  const { signal } = own.abort;
  for (let row; (row = own.waiting.shift()); ) {
    thumbnails = thumbnails.then(() => signal.aborted || addThumbnail(row));
    try {
      row.record = await predictor.predict(row.file, { signal });
    } catch (error) {
      row.error = error;
    }
    if (signal.aborted) return;
    renderRow(row, predictor.models);
    renderProgress();
  }
  own.running--;
}

function createRow(file, onSelect) {
  const name = create("button", { type: "button", textContent: file.name, title: file.name, onclick: () => onSelect(file) });
  return create("tr", {}, create("td", {}, create("span")), create("th", { scope: "row" }, name), create("td"), create("td"));
}

function renderRow({ record, error, element }, models) {
  const [, , prediction, probability] = element.children;
  prediction.className = error ? "error" : "";
  prediction.colSpan = error ? 2 : 1; // a reason needs the space
  probability.hidden = Boolean(error);
  prediction.textContent = error ? errorText(error) : "";
  if (!record) return;
  const description = describe(record, models);
  prediction.textContent = description.name;
  probability.textContent = percent(description.probability);
}

// Replaces the placeholder by a small copy of the photo; it stays where the browser cannot decode the photo.
async function addThumbnail({ file, element }) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = THUMBNAIL / Math.max(bitmap.width, bitmap.height);
    const canvas = create("canvas", { width: Math.max(1, scale * bitmap.width), height: Math.max(1, scale * bitmap.height) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    element.firstElementChild.replaceChildren(create("img", { src: canvas.toDataURL(), alt: "" }));
  } catch {
    element.firstElementChild.firstElementChild.textContent = "?";
  }
}

function renderProgress() {
  const done = rows.filter(({ record, error }) => record || error).length;
  const failed = rows.filter(({ error }) => error).length;
  const key = done < rows.length ? "progress" : failed ? "doneWithErrors" : "done";
  $("progress").textContent = text(key, { done, failed, count: rows.length });
  $("csv-button").disabled = done < rows.length;
  $("retry-button").hidden = done < rows.length || !rows.some(isRetriable);
}

function removeAll() {
  queue.abort.abort();
  queue = createQueue();
  rows = [];
  $("rows").replaceChildren();
  $("photos").hidden = true;
}

// Sorts by file name, prediction or probability; a second time in the other direction. Rows without a value are last.
function sort(column, models) {
  const isDescending = sorting.column === column ? !sorting.isDescending : column === 2;
  sorting = { column, isDescending };
  headers().forEach((header, i) => header.setAttribute("aria-sort", i !== column ? "none" : isDescending ? "descending" : "ascending"));
  const collator = new Intl.Collator(currentLanguage(), { numeric: true });
  const value = ({ file, record }) => {
    if (column === 0) return file.name;
    if (!record) return null;
    const { name, probability } = describe(record, models);
    return column === 1 ? name : probability;
  };
  const compare = (a, b) => (typeof a === "number" ? a - b : collator.compare(a, b));
  const sorted = rows.map((row) => [value(row), row]).sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return isDescending ? compare(b, a) : compare(a, b);
  });
  rows = sorted.map(([, row]) => row);
  $("rows").append(...rows.map(({ element }) => element));
}

function saveCsv(models) {
  const top = Math.min(CSV_TOP, Math.max(...models.map((model) => model.class_names.length)));
  const records = rows.map(({ file, record, error }) => ({ label: null, probability: null, top: [], model: "", error: error && errorText(error), ...record, file: file.name }));
  const url = URL.createObjectURL(new Blob(["\ufeff", toCsv(records, top)], { type: "text/csv" })); // the mark tells Excel that it is UTF-8
  create("a", { href: url, download: "labels.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
