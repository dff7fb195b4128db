"use strict";
(() => {
  const UNITS = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9 };
  const FEW = 20; // words that a filter can list
  const MANY = 12; // rows that are worth a search

  // What a cell is sorted by: the number that it begins with, with its unit, or its text.
  const keyOf = (cell, isNumber) => {
    const text = cell.textContent.trim();
    if (!isNumber) return text;
    if (text === "inf") return Infinity;
    if (text === "-inf") return -Infinity;
    const number = parseFloat(text.replaceAll(",", ""));
    return Number.isNaN(number) ? null : number * (UNITS[text.split(" ").pop()] ?? 1);
  };

  const compare = (a, b) => {
    if (a === null || a === "") return b === null || b === "" ? 0 : 1;
    if (b === null || b === "") return -1;
    return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  };

  const isEmpty = (key) => key === null || key === "";

  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const isNumber = head.classList.contains("number");
        const keyed = [...table.tBodies[0].rows].map((row) => [keyOf(row.cells[index], isNumber), row]);
        keyed.sort(([a], [b]) => (down && !isEmpty(a) && !isEmpty(b) ? compare(b, a) : compare(a, b)));
        table.tBodies[0].append(...keyed.map(([, row]) => row));
      });
    });
  };

  const labelled = (text, control) => {
    const label = document.createElement("label");
    label.append(text, " ", control);
    return label;
  };

  const parts = (cell) => cell.textContent.split(",").map((part) => part.trim()).filter(Boolean);

  const searchable = (table) => {
    const rows = [...table.tBodies[0].rows];
    const tools = document.createElement("div");
    tools.className = "tools";
    const search = document.createElement("input");
    search.type = "search";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    tools.append(labelled("search", search));
    const filters = [...table.tHead.rows[0].cells].flatMap((head, index) => {
      const values = [...new Set(rows.flatMap((row) => parts(row.cells[index])))];
      const isNoWord = head.classList.contains("number") || head.classList.contains("wide");
      const isEachItsOwn = values.length >= rows.length;
      if (isNoWord || isEachItsOwn || values.length < 2 || values.length > FEW) return [];
      const select = document.createElement("select");
      select.append(new Option("all", ""), ...values.sort().map((value) => new Option(value, value)));
      tools.append(labelled(head.textContent.trim() || "verdict", select));
      return [{ select, index }];
    });
    const apply = () => {
      const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        const fits =
          wanted.every((word) => text.includes(word)) &&
          filters.every(({ select, index }) => !select.value || parts(row.cells[index]).includes(select.value));
        row.hidden = !fits;
        shown += fits;
      }
      count.textContent = `${shown} of ${rows.length}`;
    };
    for (const event of ["input", "change"]) tools.addEventListener(event, apply);
    tools.append(count);
    apply();
    table.createCaption().append(tools);
  };

  for (const table of document.querySelectorAll("main table")) {
    if (table.tBodies[0].rows.length >= MANY) searchable(table);
    if (table.tBodies[0].rows.length > 1) sortable(table);
  }
})();
