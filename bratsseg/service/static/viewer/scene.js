// What NiiVue shows: the scan below, a layer for each region above, the crosshair.

const { Niivue, NVImage, SLICE_TYPE, MULTIPLANAR_TYPE, SHOW_RENDER } = window.niivue;

export const VIEWS = {
  grid: SLICE_TYPE.MULTIPLANAR,
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  render: SLICE_TYPE.RENDER,
};

const OPTIONS = {
  isRadiologicalConvention: true,
  isOrientationTextVisible: true,
  isCornerOrientationText: false,
  multiplanarLayout: MULTIPLANAR_TYPE.GRID,
  multiplanarShowRender: SHOW_RENDER.ALWAYS,
  multiplanarPadPixels: 3,
  backColor: [0, 0, 0, 1],
  clipPlaneColor: [0, 0, 0, 0],
  crosshairColor: [0.9, 0.62, 0, 0.9],
  crosshairWidthUnit: "percent",
  crosshairGap: 8,
  fontColor: [0.85, 0.85, 0.85, 1],
  fontMinPx: 12,
  dragAndDropEnabled: false,
  logLevel: "error",
};

// Bytes of a NIfTI file → NVImage.
export async function read(bytes, name, more = {}) {
  return NVImage.loadFromUrl({ url: bytes.slice(0), name, ...more });
}

export class Scene {
  constructor() {
    this.nv = new Niivue(OPTIONS);
    this.layers = [];
    this.opacity = 0.5;
    this.hidden = false;
  }

  async attach(canvas) {
    this.nv.opts.crosshairWidth = canvas.clientWidth < 600 ? 1.2 : 0.35; // about a pixel and a half
    await this.nv.attachToCanvas(canvas, false);
  }

  // Show a scan below the layers. Every scan of a study lies on one grid, so the crosshair stays where it is.
  showScan(image) {
    this.scan = image;
    this.refresh();
  }

  // A layer for each region {name, colour}, on the grid of `like`.
  makeLayers(regions, like) {
    this.layers = regions.map(({ name, colour }) => {
      const layer = like.clone();
      // What is clear has the colour of the outermost region, for NiiVue blends it into the edge.
      const [R, G, B] = colour.map((value, channel) => [regions[0].colour[channel], value]);
      this.nv.addColormap(`region-${name}`, { R, G, B, A: [0, 255], I: [0, 255] });
      layer.name = name;
      Object.assign(layer.hdr, { datatypeCode: 2, numBitsPerVoxel: 8, scl_slope: 1, scl_inter: 0 });
      Object.assign(layer, { colormap: `region-${name}`, colorbarVisible: false });
      Object.assign(layer, { cal_min: 0, cal_max: 1, global_min: 0, global_max: 1, robust_min: 0, robust_max: 1 });
      layer.img = null;
      return layer;
    });
  }

  // Put voxels (0 or 1 in file order, or null for none) into a layer; drawn by the next refresh.
  fill(name, voxels, outlined) {
    const layer = this.layers.find((one) => one.name === name);
    layer.img = voxels;
    layer.outlined = outlined;
  }

  // Hide or show all layers; drawn by the next refresh.
  hide(hidden) {
    this.hidden = hidden;
  }

  setOpacity(opacity) {
    this.opacity = opacity;
    this.refresh();
  }

  // Give NiiVue the scan and the layers that have something to show: each costs a pass over the whole volume, the scan
  // the longest, so it is left alone when it has not changed.
  refresh() {
    const layers = this.layers.filter((layer) => layer.img);
    for (const layer of layers) {
      const opacity = layer.outlined ? Math.max(this.opacity, 0.9) : this.opacity;
      layer.opacity = this.hidden ? 0 : opacity;
    }
    const drawn = this.nv.back === this.scan && layers.length > 0;
    this.nv.volumes = [this.scan, ...layers];
    this.nv.back = this.scan;
    this.nv.overlays = layers;
    if (!drawn) return this.nv.updateGLVolume();
    this.nv.refreshColormaps();
    layers.forEach((layer, at) => this.nv.refreshLayers(layer, at + 1));
    this.nv.drawScene();
  }

  setWindow(level, width) {
    const scan = this.nv.volumes[0];
    scan.cal_min = level - width / 2;
    scan.cal_max = level + width / 2;
    this.nv.updateGLVolume();
  }

  setView(view) {
    this.nv.setSliceType(VIEWS[view]);
  }

  // Cut the head open at the crosshair, seen from the side that is nearer, so that the render shows what lies inside.
  cut(open) {
    const [x] = this.nv.scene.crosshairPos;
    const right = x > 0.5;
    this.nv.setRenderAzimuthElevation(right ? 290 : 70, 15);
    this.nv.setClipPlane(open ? [right ? x - 0.5 : 0.5 - x, right ? 90 : 270, 0] : [2, 0, 0]);
  }

  // Crosshair in RAS mm.
  get mm() {
    return [...this.nv.frac2mm(this.nv.scene.crosshairPos, 0, true)].slice(0, 3);
  }

  goTo(mm) {
    this.nv.scene.crosshairPos = this.nv.mm2frac([...mm], 0, true);
    this.moved();
  }

  goToVoxel(voxel) {
    this.nv.scene.crosshairPos = this.nv.vox2frac([...voxel]);
    this.moved();
  }

  moved() {
    this.nv.createOnLocationChange();
    this.nv.drawScene();
  }
}
