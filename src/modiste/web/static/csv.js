// Predictions as CSV, as `modiste predict --csv` prints them: modiste.inference.prediction_csv in JavaScript.

// Returns the text for some records, with `top` classes in each row; records without a label have an error.
export function toCsv(records, top) {
  const ranks = Array.from({ length: top }, (_, i) => i);
  const columns = ranks.flatMap((i) => [`label_${i + 1}`, `probability_${i + 1}`]);
  const rows = records.map((record) => [
    record.file, record.label ?? "", formatProbability(record.probability),
    ...ranks.flatMap((i) => [record.top[i]?.label ?? "", formatProbability(record.top[i]?.probability)]),
    record.model, record.error ?? "",
  ]);
  return [["file", "label", "probability", ...columns, "model", "error"], ...rows].map(formatRow).join("");
}

const formatRow = (cells) => `${cells.map(formatCell).join(",")}\n`;
const formatProbability = (value) => value?.toFixed(6) ?? "";

// A spreadsheet takes a cell that begins with one of = + - @, tab or return for a formula (CWE-1236): an apostrophe makes it a text.
function formatCell(value) {
  const cell = /^'*[=+\-@\t\r][^]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
