// The keyboard: everything that the mouse can do.

const TYPED = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select";
const OWN = {
  range: ["Arrow", "Page", "Home", "End"],
  radio: ["Arrow", " "],
  checkbox: [" "],
};

// Call `actions[key]` for keys that the focused control does not need itself. NiiVue's own keys are kept from it.
export function listen(canvas, actions) {
  document.addEventListener(
    "keydown",
    (event) => {
      const { target } = event;
      const drawn = target === canvas;
      if (drawn && event.key !== "Tab") event.stopPropagation();
      if (event.altKey || (!drawn && needed(target, event.key))) return;
      const action = actions[named(event)];
      if (!action || (event.key === "Enter" && !drawn)) return;
      event.preventDefault();
      action(event);
    },
    true,
  );
}

// "Ctrl+z", "Ctrl+Shift+z", "+", "ArrowUp"; the Mac's command key is Ctrl.
function named(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return event.ctrlKey || event.metaKey ? `Ctrl+${event.shiftKey ? "Shift+" : ""}${key}` : key;
}

function needed(target, key) {
  if (target.matches(TYPED)) return true;
  const own = target.matches("button, a, summary") ? [" ", "Enter"] : OWN[target.type] || [];
  return own.some((one) => key.startsWith(one));
}
