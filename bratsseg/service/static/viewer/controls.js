// The controls of the page, and the keys that move them.

import { VIEWS } from "./scene.js";

const root = document.getElementById("viewer");
const find = (selector) => root.querySelector(selector);
const all = (selector) => [...root.querySelectorAll(selector)];

// Tie every control to the viewer.
export function tie(viewer) {
  const on = (selector, event, act) => all(selector).forEach((one) => one.addEventListener(event, () => act(one)));
  on("[name=modality]", "change", (one) => viewer.showScan(one.value));
  on("[name=view]", "change", (one) => viewer.setView(one.value));
  on("#largest", "click", () => viewer.goToLargest());
  on("#next", "click", () => viewer.goToNextLesion());
  on("#cut", "change", (one) => viewer.scene.cut(one.checked));
  on("#level, #width", "input", () => {
    viewer.scene.setWindow(Number(find("#level").value), Number(find("#width").value));
    viewer.tellWindow();
  });
  on("#window-reset", "click", () => viewer.resetWindow());
  on("#opacity", "input", (one) => setOpacity(viewer, Number(one.value)));
  on("#overlay, [name^=show-], [name^=outline-]", "change", () => viewer.showRegions());
  on("#threshold", "input", (one) => viewer.setThreshold(Number(one.value)));
  on("#threshold-reset", "click", () => viewer.setThreshold(null));
  on("#labels", "change", (one) => viewer.changeLabels(one.value));
  on("#go-to", "change", (one) => {
    const typed = one.value.split(/[\s,;]+/).filter(Boolean).map(Number);
    if (typed.length === 3 && typed.every(Number.isFinite)) viewer.scene.goTo(typed);
  });
  on("#correct", "click", () => viewer.correct());
  on("[name=pen]", "change", () => viewer.drawing.take(viewer.penOf()));
  on("#pen-size", "input", (one) => viewer.drawing.setSize(Number(one.value)));
  on("#paint", "click", () => viewer.paint());
  on("#undo", "click", () => viewer.undo());
  on("#redo", "click", () => viewer.redo());
  on("#cancel, #draft-drop", "click", () => viewer.discard());
  on("#draft-resume", "click", () => viewer.resume());
  on("#comment", "input", () => viewer.drawing?.open && viewer.draft.touch());
  on("#save", "click", () => viewer.save());
  window.addEventListener("beforeunload", (event) => {
    if (!viewer.drawing?.open || !viewer.draft.unsaved) return;
    viewer.draft.keep(); // while the browser asks
    event.preventDefault();
  });
}

function setOpacity(viewer, opacity) {
  find("#opacity").value = opacity;
  viewer.scene.setOpacity(opacity);
  if (viewer.drawing?.open) viewer.scene.nv.setDrawOpacity(opacity);
}

function flip(selector) {
  const boxes = all(selector).filter((box) => !box.disabled);
  for (const box of boxes) box.checked = !box.checked;
  boxes[0]?.dispatchEvent(new Event("change"));
}

// What each key does.
export function keysOf(viewer) {
  const views = Object.keys(VIEWS);
  const drawing = (act) => () => viewer.drawing?.open && act();
  const keys = {
    ArrowLeft: () => viewer.move(-1, 0, 0),
    ArrowRight: () => viewer.move(1, 0, 0),
    ArrowUp: () => viewer.move(0, 1, 0),
    ArrowDown: () => viewer.move(0, -1, 0),
    PageUp: () => viewer.move(0, 0, 1),
    PageDown: () => viewer.move(0, 0, -1),
    l: () => viewer.goToLargest(),
    n: () => viewer.goToNextLesion(),
    v: () => viewer.setView(views[(views.indexOf(viewer.view) + 1) % views.length]),
    w: () => flip("[name=show-WT]"),
    c: () => flip("[name=show-TC]"),
    e: () => flip("[name=show-ET]"),
    o: () => flip("[name^=outline-]"),
    h: () => flip("#overlay"),
    "+": () => setOpacity(viewer, Math.min(1, viewer.scene.opacity + 0.1)),
    "-": () => setOpacity(viewer, Math.max(0, viewer.scene.opacity - 0.1)),
    d: () => find("#correct")?.click(),
    Enter: drawing(() => viewer.paint()),
    u: drawing(() => viewer.undo()),
    "Ctrl+z": drawing(() => viewer.undo()),
    "Ctrl+y": drawing(() => viewer.redo()),
    "Ctrl+Shift+z": drawing(() => viewer.redo()),
    "?": () => (find("#keys").open = !find("#keys").open),
  };
  all("[name=modality]").forEach((one, at) => (keys[at + 1] = () => one.disabled || viewer.showScan(one.value)));
  return keys;
}
