// Predictions as CSV, as `modiste predict --csv` prints them: modiste.inference.prediction_csv in JavaScript.

// Returns the text for some records, with `top` classes in each row; records without a label have an error.
export function toCsv(records, top) {
  const ranks = Array.from({ length: top }, (_, i) => i);
  const columns = ranks.flatMap((i) => [`label_${i + 1}`, `probability_${i + 1}`]);
  const rows = records.map((record) => [
    escapeName(record.file), record.label ?? "", formatProbability(record.probability),
    ...ranks.flatMap((i) => [record.top[i]?.label ?? "", formatProbability(record.top[i]?.probability)]),
    record.model, record.error ?? "",
  ]);
  return [["file", "label", "probability", ...columns, "model", "error"], ...rows].map(formatRow).join("");
}

const formatRow = (cells) => `${cells.map(formatCell).join(",")}\n`;
const formatProbability = (value) => value?.toFixed(6) ?? "";

// A name with a control character, or with a quotation mark at its beginning, is a JSON string: each row is one line.
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const escapeControl = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
const escapeName = (name) => (name.startsWith('"') || name.search(CONTROLS) >= 0 ? JSON.stringify(name).replace(CONTROLS, escapeControl) : name);

// A spreadsheet takes a cell that begins with one of = + - @, tab or return for a formula (CWE-1236): an apostrophe makes it a text.
function formatCell(value) {
  const cell = /^'*[=+\-@\t\r][^]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
