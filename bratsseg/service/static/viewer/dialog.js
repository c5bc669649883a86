// Ask before something is lost; true when it may be.

export function ask(dialog) {
  return new Promise((settle) => {
    dialog.returnValue = "keep";
    dialog.querySelectorAll("button").forEach((button) => (button.onclick = () => dialog.close(button.value)));
    dialog.addEventListener("close", () => settle(dialog.returnValue === "discard"), { once: true });
    dialog.showModal();
  });
}
