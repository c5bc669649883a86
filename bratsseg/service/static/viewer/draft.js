// A drawing is kept on the server every few seconds, through log-outs and servers that are away, until it is saved.

import { change } from "./server.js";

const EVERY = 3000; // ms between a stroke and its keeping, and between attempts

export class Draft {
  // `make()` gives the gzipped file, `comment()` what is typed; `tell(text, wrong)` says where the drawing stands.
  // `replaces` is the window of the draft that is gone on with: no other draft is written over.
  constructor(url, revision, replaces, { make, comment, tell }) {
    const window = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    Object.assign(this, { url, revision, replaces, window, make, comment, tell, wanted: 0, kept: 0, closed: false });
  }

  get unsaved() {
    return this.wanted > this.kept;
  }

  // Something was drawn or typed.
  touch() {
    this.wanted += 1;
    this.timer ??= setTimeout(() => this.keep(), EVERY);
  }

  // Keep what is there now, and go on until nothing is left to keep.
  async keep() {
    if (this.busy) return this.busy;
    clearTimeout(this.timer);
    this.timer = null;
    this.busy = this.send().finally(() => {
      this.busy = null;
      if (this.unsaved && !this.closed) this.timer ??= setTimeout(() => this.keep(), EVERY);
    });
    return this.busy;
  }

  async send() {
    const state = this.wanted;
    try {
      const form = formOf(await this.make(), this.comment(), this.revision);
      form.append("window", this.window);
      form.append("replaces", this.replaces);
      if (this.closed) return;
      await change("PUT", this.url, form);
      this.kept = state;
      this.tell(`draft kept ${new Date().toLocaleTimeString()}; it is not a correction until you save it`, false);
    } catch (error) {
      this.tell(`draft not kept: ${error.message}. It stays here; it is tried again every few seconds.`, true);
    }
  }

  // No more keeping: the drawing was saved or discarded. Waits for what is on its way.
  async close() {
    this.closed = true;
    clearTimeout(this.timer);
    await this.busy;
  }

  // Keep again: it was not saved after all.
  open() {
    this.closed = false;
    if (this.unsaved) this.touch();
  }
}

export function formOf(file, comment, revision) {
  const form = new FormData();
  form.append("drawing", new Blob([file], { type: "application/gzip" }), "drawing.nii.gz");
  form.append("comment", comment);
  form.append("revision", revision);
  return form;
}
