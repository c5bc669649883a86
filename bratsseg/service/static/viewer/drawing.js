// Correcting: a drawing over the scan, in label values, saved as the result's own NIfTI file with other voxels.

import { History } from "./history.js";
import { pack, unpack } from "./nifti.js";

export class Drawing {
  // `source` are the bytes of the label map that is corrected: its header goes with what is saved, so it lies at the same mm.
  // `changed()` is called after every stroke, undo and redo.
  constructor(scene, grid, tissues, source, changed) {
    Object.assign(this, { scene, grid, tissues, source, changed, pen: 0, size: 3, open: false });
  }

  // Begin with label values in file order.
  begin(values) {
    const { nv } = this.scene;
    const top = Math.max(...this.tissues.map((tissue) => tissue.value));
    const lut = { R: [], G: [], B: [], A: [], labels: [] };
    for (let value = 0; value <= top; value++) {
      const tissue = this.tissues.find((one) => one.value === value);
      const [red, green, blue] = tissue ? tissue.colour : [0, 0, 0];
      lut.R.push(red), lut.G.push(green), lut.B.push(blue), lut.A.push(tissue ? 255 : 0);
      lut.labels.push(tissue ? tissue.name : "");
    }
    nv.setDrawColormap(lut);
    nv.createEmptyDrawing();
    this.grid.each((file, ras) => (nv.drawBitmap[ras] = values[file]));
    this.history = new History(nv.drawBitmap);
    nv.setDrawOpacity(this.scene.opacity);
    nv.refreshDrawing(true);
    nv.onDrawingChanged = (act) => act === "draw" && this.keep();
    this.open = true;
  }

  // A label value, 0 to erase, or null to move the crosshair.
  take(pen) {
    const { nv } = this.scene;
    this.pen = pen;
    nv.setDrawingEnabled(pen !== null);
    if (pen !== null) nv.setPenValue(pen, false);
    nv.opts.penSize = this.size;
  }

  setSize(size) {
    this.size = size;
    this.scene.nv.opts.penSize = size;
  }

  // Paint a ball at the crosshair: the way without a mouse.
  paint() {
    if (this.pen === null) return;
    const { nv } = this.scene;
    const [nx, ny] = this.grid.size;
    const centre = this.grid.near(this.scene.mm);
    const reach = (this.size - 1) / 2;
    const around = Math.ceil(reach);
    for (let k = -around; k <= around; k++) {
      for (let j = -around; j <= around; j++) {
        for (let i = -around; i <= around; i++) {
          const voxel = [centre[0] + i, centre[1] + j, centre[2] + k];
          if (Math.hypot(i, j, k) <= reach + 0.01 && this.grid.inFile(voxel) >= 0) {
            nv.drawBitmap[voxel[0] + nx * (voxel[1] + ny * voxel[2])] = this.pen;
          }
        }
      }
    }
    nv.refreshDrawing(true);
    this.keep();
  }

  keep() {
    this.history.voxels = this.scene.nv.drawBitmap; // NiiVue may have made a new one
    if (this.history.keep()) this.changed();
  }

  undo() {
    if (this.history.undo()) this.show();
  }

  redo() {
    if (this.history.redo()) this.show();
  }

  show() {
    this.scene.nv.refreshDrawing(true);
    this.changed();
  }

  end() {
    this.open = false;
    const { nv } = this.scene;
    nv.setDrawingEnabled(false);
    nv.closeDrawing();
  }

  // Gzipped NIfTI: the source's header, the drawing's voxels.
  async file() {
    const { plain, values } = await unpack(this.source);
    this.grid.each((file, ras) => (values[file] = this.scene.nv.drawBitmap[ras]));
    return pack(plain);
  }
}
