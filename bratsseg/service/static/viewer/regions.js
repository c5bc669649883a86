// Which regions every voxel is in, as bits in file order, and the layers that show them.

export const BITS = { WT: 1, TC: 2, ET: 4 };
export const NAMES = Object.keys(BITS);

// Label values → bits. `tissues` are {value, regions} of the dialect.
export function bitsOfLabels(values, tissues) {
  const table = new Uint8Array(256);
  for (const tissue of tissues) table[tissue.value] = tissue.regions.reduce((bits, name) => bits | BITS[name], 0);
  return Uint8Array.from(values, (value) => table[value]);
}

// Bits → label values: the tissue of the innermost region.
export function labelsOfBits(bits, tissues) {
  const table = new Uint8Array(8);
  for (const name of NAMES) {
    const tissue = tissues.find((one) => one.innermost === name);
    if (tissue) for (let bit = BITS[name]; bit < BITS[name] * 2; bit++) table[bit] = tissue.value;
  }
  return Uint8Array.from(bits, (bit) => table[bit]);
}

// Probabilities (bytes 0-255 by region, in file order) at least `threshold` → bits; a core lies within the whole tumour.
export function bitsOfProbabilities(probabilities, threshold) {
  const least = Math.max(1, Math.ceil(threshold * 255));
  const bits = new Uint8Array(probabilities.WT.length);
  const { WT, TC, ET } = probabilities;
  for (let at = 0; at < bits.length; at++) {
    if (WT[at] < least) continue;
    bits[at] = 1;
    if (!TC || TC[at] < least) continue;
    bits[at] = 3;
    if (ET && ET[at] >= least) bits[at] = 7;
  }
  return bits;
}

// The voxels that a region colours: 1 where it is the innermost region that is shown, or its border where outlined.
// `shown` is {WT: "fill" | "outline" | "off", …}; `grid` gives the neighbours.
export function layerOf(name, bits, shown, grid) {
  const layer = new Uint8Array(bits.length);
  if (shown[name] === "off") return layer;
  const own = BITS[name];
  if (shown[name] === "outline") return outline(layer, bits, own, grid);
  const inner = NAMES.filter((one) => BITS[one] > own && shown[one] === "fill").reduce((sum, one) => sum | BITS[one], 0);
  for (let at = 0; at < bits.length; at++) if (bits[at] & own && !(bits[at] & inner)) layer[at] = 1;
  return layer;
}

function outline(layer, bits, own, grid) {
  const steps = grid.step.flatMap((step) => [step, -step]);
  for (let at = 0; at < bits.length; at++) {
    if (bits[at] & own && steps.some((step) => !(bits[at + step] & own))) layer[at] = 1;
  }
  return layer;
}
