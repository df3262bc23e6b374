// Elements by script: every value is text, never markup.

import { t } from "./words.js";

export const $ = (id) => document.getElementById(id);

export const el = (tag, attributes = {}, ...inner) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...inner.filter((one) => one !== null && one !== undefined));
  return made;
};

// heads: [[text, class]]; rows: {key?, open?, cells: [[text or element, class]]}. A cell whose text changed lights up.
export const table = (id, heads, rows, lit = []) => {
  const place = $(id), before = place.texts || {}, texts = {};
  const body = el("tbody");
  for (const { key, open, cells } of rows) {
    const line = el("tr");
    if (open) {
      line.tabIndex = 0;
      line.addEventListener("click", open);
      line.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
    }
    cells.forEach(([text, classes], column) => {
      const cell = el("td", { class: classes || "" }, text instanceof Node ? text : String(text ?? "–"));
      if (key !== undefined && lit.includes(column)) {
        const name = `${key} ${column}`;
        texts[name] = cell.textContent;
        if (name in before && before[name] !== texts[name]) cell.classList.add("flash");
      }
      line.append(cell);
    });
    body.append(line);
  }
  if (!rows.length) body.append(el("tr", {}, el("td", { class: "none", colSpan: heads.length }, t("none"))));
  const top = el("thead", {}, el("tr", {}, ...heads.map(([text, classes]) => el("th", { class: classes || "", scope: "col" }, text))));
  place.texts = texts;
  place.replaceChildren(top, body);
};

// Options of a select, its choice kept; gives the choice.
export const choices = (id, names, labels = names) => {
  const place = $(id), said = names.join("\n") + labels.join("\n");
  if (place.said !== said) {
    const chosen = place.value;
    place.replaceChildren(...names.map((name, number) => el("option", { value: name }, labels[number])));
    if (names.includes(chosen)) place.value = chosen;
    place.said = said;
  }
  return place.value;
};
