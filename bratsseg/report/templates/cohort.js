"use strict";
(() => {
  const table = document.getElementById("cases");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const words = rows.map((row) => row.textContent.toLowerCase());
  const heads = Array.from(table.tHead.rows[0].cells);
  const find = document.getElementById("find");
  const show = document.getElementById("show");
  const order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    let count = 0;
    rows.forEach((row, i) => {
      const fits = words[i].includes(wanted) && (show.value === "" || row.classList.contains(show.value));
      row.hidden = !fits;
      if (fits) count += 1;
    });
    shown.textContent = count + " of " + rows.length + " shown";
  };
  const value = (row, column) => {
    const text = row.cells[column].dataset.value;
    return heads[column].dataset.kind === "number" ? (text === "" ? null : Number(text)) : text;
  };
  const sort = (column, down) => {
    const sign = down ? -1 : 1;
    const keyed = rows.map((row, i) => [value(row, column), i, row]);
    keyed.sort((a, b) => {
      if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null) || a[1] - b[1];
      const by = typeof a[0] === "number" ? a[0] - b[0] : a[0].localeCompare(b[0], "en", { numeric: true });
      return sign * by || a[1] - b[1];
    });
    const part = document.createDocumentFragment();
    keyed.forEach((item) => part.append(item[2]));
    body.append(part);
    heads.forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    order.value = column + (down ? "-" : "+");
  };
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      sort(column, before ? before === "ascending" : head.dataset.kind === "number");
    });
  });
  order.addEventListener("change", () => sort(parseInt(order.value, 10), order.value.endsWith("-")));
  find.addEventListener("input", filter);
  show.addEventListener("change", filter);
  filter();
})();
