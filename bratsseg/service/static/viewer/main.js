// The viewer of one result: reads what the page was given, loads the files, and ties the controls to the scene.

import { keysOf, tie } from "./controls.js";
import { ask } from "./dialog.js";
import { Draft, formOf } from "./draft.js";
import { Drawing } from "./drawing.js";
import { Grid } from "./grid.js";
import { listen } from "./keys.js";
import { largestSlice, lesionsOf } from "./lesions.js";
import { unpack } from "./nifti.js";
import { bitsOfLabels, bitsOfProbabilities, indicesOf, labelsOfBits, layerOf, NAMES } from "./regions.js";
import { read, Scene } from "./scene.js";
import { change } from "./server.js";

const AXES = { axial: 2, coronal: 1, sagittal: 0, grid: 2, render: 2 };
const root = document.getElementById("viewer");
const canvas = document.getElementById("canvas");
const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (selector) => root.querySelector(selector);
const all = (selector) => [...root.querySelectorAll(selector)];
const say = (text) => (find("#viewer-status").textContent = text);

class Viewer {
  constructor() {
    this.scene = new Scene();
    this.scans = {};
    this.probabilities = null;
    this.view = "grid";
    this.lesion = -1;
  }

  async open() {
    await this.scene.attach(canvas);
    const modalities = all("[name=modality]:not(:disabled)").map((one) => one.value);
    const first = modalities.includes(facts.reference_modality) ? facts.reference_modality : modalities[0];
    const start = modalities.includes("flair") ? "flair" : first;
    const [, bytes] = await Promise.all([this.scan(start), fetchBytes(find("#labels").value)]);
    await this.takeLabels(bytes);
    const regions = NAMES.filter((name) => find(`[name=show-${name}]`));
    this.scene.makeLayers(regions.map((name) => ({ name, colour: facts.regions[name].colour })), this.labelImage);
    this.fillLayers();
    this.scene.nv.onLocationChange = () => this.tellPlace();
    this.scene.nv.onIntensityChange = () => this.tellWindow();
    await this.showScan(start);
    this.start();
    say("");
  }

  // Fetch the other scans, so that switching is at once.
  async fetchOthers() {
    for (const one of all("[name=modality]:not(:disabled)")) await this.scan(one.value);
  }

  // The place that the address names, otherwise the largest slice.
  start() {
    const place = location.hash.match(/^#at=(-?[\d.]+),(-?[\d.]+),(-?[\d.]+)$/);
    if (place) this.scene.goTo(place.slice(1).map(Number));
    else this.goToLargest();
    this.scene.cut(find("#cut").checked);
  }

  async scan(modality) {
    this.scans[modality] ??= fetchBytes(`${modality}.nii.gz`).then((bytes) => read(bytes, `${modality}.nii.gz`));
    return this.scans[modality];
  }

  async showScan(modality) {
    const image = await this.scan(modality);
    this.modality = modality;
    find(`[name=modality][value=${modality}]`).checked = true;
    this.scene.showScan(image);
    this.setWindowRange(image);
    this.tellPlace();
  }

  async takeLabels(bytes) {
    this.labelBytes = bytes;
    this.labelImage = await read(bytes, "labels.nii.gz");
    this.grid = new Grid(this.labelImage);
    this.values = this.labelImage.img;
    this.takeBits(bitsOfLabels(this.values, facts.tissues));
  }

  takeBits(bits) {
    this.bits = bits;
    this.indices = indicesOf(bits);
    this.lesions = null;
  }

  async changeLabels(name) {
    await this.takeLabels(await fetchBytes(name));
    await this.setThreshold(null);
  }

  // Shown as the controls say.
  showRegions() {
    this.fillLayers();
    this.scene.refresh();
  }

  fillLayers() {
    const shown = Object.fromEntries(NAMES.map((name) => [name, this.shownAs(name)]));
    for (const { name } of this.scene.layers) {
      this.scene.fill(name, layerOf(name, this.bits, this.indices, shown, this.grid), shown[name] === "outline");
    }
    this.scene.hide(this.drawing?.open || !find("#overlay").checked);
  }

  shownAs(name) {
    if (!find(`[name=show-${name}]`)?.checked) return "off";
    return find(`[name=outline-${name}]`).checked ? "outline" : "fill";
  }

  async setThreshold(threshold) {
    if (threshold === null) {
      this.takeBits(bitsOfLabels(this.values, facts.tissues));
    } else {
      this.probabilities ??= await this.readProbabilities();
      this.takeBits(bitsOfProbabilities(this.probabilities, threshold));
    }
    this.showRegions();
    this.tellPlace();
    if (find("#threshold")) find("#threshold-value").textContent = threshold === null ? "as saved" : `${Math.round(100 * threshold)} %`;
  }

  async readProbabilities() {
    const files = NAMES.filter((name) => `probability-${name}.nii.gz` in facts.files);
    const images = await Promise.all(
      files.map(async (name) => (await unpack(await fetchBytes(`probability-${name}.nii.gz`))).values),
    );
    return Object.fromEntries(files.map((name, at) => [name, images[at]]));
  }

  goToLargest() {
    const voxel = largestSlice(this.bits, this.grid, AXES[this.view]);
    if (voxel) this.scene.goToVoxel(voxel);
    else this.scene.moved();
  }

  goToNextLesion() {
    const least = Number(root.dataset.lesionMl);
    this.lesions ??= lesionsOf(this.bits, this.grid).filter((one) => one.voxels * this.grid.voxelMl >= least);
    if (!this.lesions.length) return say("no lesion");
    this.lesion = (this.lesion + 1) % this.lesions.length;
    const { voxel, voxels } = this.lesions[this.lesion];
    this.scene.goToVoxel(voxel);
    this.scene.cut(find("#cut").checked);
    say(`lesion ${this.lesion + 1} of ${this.lesions.length}, ${(voxels * this.grid.voxelMl).toFixed(2)} mL`);
  }

  // Move by voxels as seen on the screen: right on the screen is the patient's left.
  move(right, up, through) {
    const axial = { axial: 1, grid: 1, render: 1 }[this.view];
    const step = axial ? [-right, up, through] : this.view === "coronal" ? [-right, through, up] : [through, -right, up];
    this.scene.nv.moveCrosshairInVox(...step);
  }

  setView(view) {
    this.view = view;
    find(`[name=view][value=${view}]`).checked = true;
    this.scene.setView(view);
  }

  setWindowRange(image) {
    const [low, high] = [image.global_min, image.global_max];
    const step = (high - low) / 500 || 1;
    Object.assign(find("#level"), { min: low, max: high, step });
    Object.assign(find("#width"), { min: step, max: high - low, step });
    this.tellWindow();
  }

  resetWindow() {
    const scan = this.scene.nv.volumes[0];
    this.scene.setWindow((scan.robust_min + scan.robust_max) / 2, scan.robust_max - scan.robust_min);
    this.tellWindow();
  }

  tellWindow() {
    const { cal_min: low, cal_max: high } = this.scene.nv.volumes[0];
    find("#level").value = (low + high) / 2;
    find("#width").value = high - low;
    find("#window-value").textContent = `${number((low + high) / 2)} / ${number(high - low)}`;
  }

  tellPlace() {
    const { mm } = this.scene;
    const voxel = this.grid.near(mm);
    const at = this.grid.inFile(voxel);
    find("#place").textContent = `RAS ${mm.map((one) => one.toFixed(1)).join("  ")} mm`;
    find("#place").dataset.mm = mm.map((one) => one.toFixed(3)).join(",");
    find("#label").textContent = at < 0 ? "outside" : this.labelAt(voxel, at);
    const scan = this.scene.nv.volumes[0];
    find("#value").textContent = at < 0 ? "" : `${find(`[name=modality]:checked`).dataset.label} ${number(scan.getValue(...voxel))}`;
    if (document.activeElement !== find("#go-to")) find("#go-to").value = mm.map((one) => one.toFixed(1)).join(", ");
  }

  labelAt(voxel, at) {
    let value = labelsOfBits([this.bits[at]], facts.tissues)[0];
    if (this.drawing?.open) value = this.scene.nv.drawBitmap[voxel[0] + this.grid.size[0] * (voxel[1] + this.grid.size[1] * voxel[2])];
    return facts.tissues.find((one) => one.value === value)?.name ?? "no tumour";
  }

  // Begin with the outlines as shown, but not over a drawing that waits to be gone on with.
  correct() {
    if (!find("#draft-resume")) return this.draw(labelsOfBits(this.bits, facts.tissues));
    find("#draft-offer").scrollIntoView({ block: "nearest" });
    find("#draft-resume").focus();
    say("go on with your drawing, or discard it first");
  }

  draw(values, replaces = "") {
    if (this.drawing?.open) return;
    this.drawing = new Drawing(this.scene, this.grid, facts.tissues, this.labelBytes, () => this.drawn());
    this.draft = new Draft(`${root.dataset.result}/draft`, facts.revision, replaces, {
      make: () => this.drawing.file(),
      comment: () => find("#comment").value,
      tell: tellDraft,
    });
    this.drawing.begin(values);
    this.offerUndo();
    tellDraft("", false);
    this.showRegions();
    this.drawing.take(this.penOf());
    root.dataset.drawing = "true";
    find("#drawing").hidden = false;
    this.allowDeciding(false);
    find("#drawing").scrollIntoView({ block: "nearest" });
    canvas.focus({ preventScroll: true });
  }

  // While a drawing is open nobody accepts what it is about to replace.
  allowDeciding(allowed) {
    for (const button of all("#correct, .review [name=decision]")) button.disabled = !allowed;
  }

  penOf() {
    const { value } = find("[name=pen]:checked");
    return value === "move" ? null : Number(value);
  }

  paint() {
    this.drawing.paint();
    this.tellPlace();
  }

  undo() {
    this.drawing.undo();
    this.tellPlace();
  }

  redo() {
    this.drawing.redo();
    this.tellPlace();
  }

  // After every stroke, undo and redo.
  drawn() {
    this.draft.touch();
    this.offerUndo();
  }

  offerUndo() {
    find("#undo").disabled = !this.drawing.history.done.length;
    find("#redo").disabled = !this.drawing.history.undone.length;
  }

  // Go on with the drawing that the server kept.
  async resume() {
    try {
      const { values } = await unpack(await fetchFrom(facts.draft.url, "the drawing"));
      find("#comment").value ||= facts.draft.comment;
      this.draw(values, facts.draft.window);
      find("#draft-offer").remove();
    } catch (error) {
      say(`the drawing could not be opened: ${error.message}`);
    }
  }

  async discard() {
    if (!(await ask(find("#discard")))) return canvas.focus({ preventScroll: true });
    try {
      await this.draft?.close();
      await change("DELETE", `${root.dataset.result}/draft`);
      if (this.drawing?.open) this.stopCorrecting();
      find("#draft-offer")?.remove();
      say("the drawing is discarded");
    } catch (error) {
      say(`not discarded: ${error.message}`);
    }
  }

  stopCorrecting() {
    this.drawing.end();
    find("#drawing").hidden = true;
    this.allowDeciding(true);
    delete root.dataset.drawing;
    this.showRegions();
  }

  async save() {
    const button = find("#save");
    button.disabled = true;
    tellDraft("saving the correction", false);
    try {
      await this.draft.keep(); // whatever becomes of the correction, the drawing is safe
      await this.draft.close();
      const form = formOf(await this.drawing.file(), find("#comment").value, facts.revision);
      await change("PUT", `${root.dataset.result}/correction`, form);
      this.drawing.open = false; // so that leaving is not warned of
      location.hash = `at=${this.scene.mm.map((one) => one.toFixed(3)).join(",")}`;
      location.reload();
    } catch (error) {
      button.disabled = false;
      this.draft.open();
      const changed = error.code === "result_changed"; // told in a whole sentence
      tellDraft(changed ? `${error.message}. Your drawing is kept as a draft and offered there.` : `not saved: ${error.message}.`, true);
      if (changed) find("#draft-status").append(" ", reopening());
    }
  }
}

// Where the drawing stands, beside its buttons.
function tellDraft(text, wrong) {
  find("#draft-status").textContent = text;
  find("#draft-status").classList.toggle("problem", wrong);
}

function reopening() {
  return Object.assign(document.createElement("a"), { href: location.pathname, textContent: "Open the result as it is now" });
}

function number(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}

function fetchBytes(name) {
  return fetchFrom(facts.files[name].url, name);
}

async function fetchFrom(url, name) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.arrayBuffer();
}

const viewer = new Viewer();
canvas.viewer = viewer;
try {
  await viewer.open();
  tie(viewer);
  listen(canvas, keysOf(viewer));
  root.dataset.ready = "true";
  await viewer.fetchOthers();
} catch (error) {
  say(`The viewer could not open: ${error.message}`);
  root.dataset.failed = "true";
}
