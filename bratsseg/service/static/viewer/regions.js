// Which regions every voxel is in, as bits in file order, and the layers that show them.

export const BITS = { WT: 1, TC: 2, ET: 4 };
export const NAMES = Object.keys(BITS);

// Label values → bits. `tissues` are {value, regions} of the dialect.
export function bitsOfLabels(values, tissues) {
  const table = new Uint8Array(256);
  for (const tissue of tissues) table[tissue.value] = tissue.regions.reduce((bits, name) => bits | BITS[name], 0);
  return through(table, values);
}

// Bits → label values: the tissue of the innermost region.
export function labelsOfBits(bits, tissues) {
  const table = new Uint8Array(8);
  for (const name of NAMES) {
    const tissue = tissues.find((one) => one.innermost === name);
    if (tissue) for (let bit = BITS[name]; bit < BITS[name] * 2; bit++) table[bit] = tissue.value;
  }
  return through(table, bits);
}

// Nine million voxels: a plain loop is many times faster than Uint8Array.from with a function.
function through(table, values) {
  const out = new Uint8Array(values.length);
  for (let at = 0; at < out.length; at++) out[at] = table[values[at]];
  return out;
}

// The indices of the voxels that are in any region, so that what follows looks at those alone.
export function indicesOf(bits) {
  const found = [];
  for (let at = 0; at < bits.length; at++) if (bits[at]) found.push(at);
  return found;
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

// The voxels that a region colours: 1 where it is the innermost region that is filled, or its border where outlined;
// null when there is none. `shown` is {WT: "fill" | "outline" | "off", …}; `grid` gives the neighbours.
export function layerOf(name, bits, indices, shown, grid) {
  if (shown[name] === "off") return null;
  const own = BITS[name];
  const inner = NAMES.filter((one) => BITS[one] > own && shown[one] === "fill").reduce((sum, one) => sum | BITS[one], 0);
  const steps = grid.step.flatMap((step) => [step, -step]);
  const border = (at) => steps.some((step) => !(bits[at + step] & own));
  const wanted = shown[name] === "outline" ? border : (at) => !(bits[at] & inner);
  const members = indices.filter((at) => bits[at] & own && wanted(at));
  if (!members.length) return null;
  const layer = new Uint8Array(bits.length);
  for (const at of members) layer[at] = 1;
  return layer;
}
