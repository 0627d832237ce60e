"use strict";

const keyOf = (row, column) => {
  const { value } = row.cells[column].dataset;
  return value === undefined ? row.cells[column].innerText : Number(value);
};

/** Sorts the body of a table by one column; rows without a value stay last either way. */
function sort(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const first = header.dataset.first ?? "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = header.ariaSort === first ? other : first;
  const sign = order === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [keyOf(a, column), keyOf(b, column)];
    if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
    return sign * (typeof x === "number" ? x - y : x.localeCompare(y));
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  for (const other of header.parentElement.cells) other.ariaSort = "none";
  header.ariaSort = order;
}

/** Copies the code beside a button; the selection is for browsers that deny the clipboard to files. */
async function copy(button) {
  const code = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  button.firstChild.data = "Copied";
  setTimeout(() => { button.firstChild.data = "Copy"; }, 1500);
}

for (const header of document.querySelectorAll(".sortable th[aria-sort]"))
  header.querySelector("button").addEventListener("click", () => sort(header));
for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
