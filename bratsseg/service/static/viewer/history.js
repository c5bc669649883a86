// What can be taken back: every stroke as the voxels that it changed, without an end.

export class History {
  // `voxels` is the drawing itself; each stroke is found by what differs from the state before.
  constructor(voxels) {
    this.voxels = voxels;
    this.kept = voxels.slice();
    this.done = [];
    this.undone = [];
  }

  // Note a stroke; false when it changed nothing. What was undone before cannot be done again.
  keep() {
    const { voxels, kept } = this;
    const at = [];
    for (let index = 0; index < voxels.length; index++) if (voxels[index] !== kept[index]) at.push(index);
    if (!at.length) return false;
    const where = Uint32Array.from(at);
    const stroke = { where, before: pick(kept, where), after: pick(voxels, where) };
    put(kept, where, stroke.after);
    this.done.push(stroke);
    this.undone = [];
    return true;
  }

  undo() {
    return this.move(this.done, this.undone, "before");
  }

  redo() {
    return this.move(this.undone, this.done, "after");
  }

  move(from, to, state) {
    const stroke = from.pop();
    if (!stroke) return false;
    for (const voxels of [this.voxels, this.kept]) put(voxels, stroke.where, stroke[state]);
    to.push(stroke);
    return true;
  }
}

function pick(voxels, where) {
  const found = new Uint8Array(where.length);
  for (let next = 0; next < where.length; next++) found[next] = voxels[where[next]];
  return found;
}

function put(voxels, where, values) {
  for (let next = 0; next < where.length; next++) voxels[where[next]] = values[next];
}
