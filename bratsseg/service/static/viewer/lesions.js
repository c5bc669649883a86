// Where to look: the parts of the whole tumour, the largest first, and its largest slice in each plane.

const WHOLE = 1;

// [{voxels, voxel}]: parts that touch by a face, an edge or a corner, each with its voxel nearest to its centre.
export function lesionsOf(bits, grid) {
  const whole = new Uint8Array(grid.count);
  grid.each((file, ras) => (whole[ras] = bits[file] & WHOLE));
  const found = [];
  for (let ras = 0; ras < whole.length; ras++) if (whole[ras]) found.push(part(whole, ras, grid));
  return found.sort((one, other) => other.voxels - one.voxels);
}

function part(whole, first, grid) {
  const [nx, ny, nz] = grid.size;
  const members = [first];
  whole[first] = 0;
  for (let next = 0; next < members.length; next++) {
    const [x, y, z] = grid.voxel(members[next]);
    for (let k = Math.max(0, z - 1); k <= Math.min(nz - 1, z + 1); k++) {
      for (let j = Math.max(0, y - 1); j <= Math.min(ny - 1, y + 1); j++) {
        for (let i = Math.max(0, x - 1); i <= Math.min(nx - 1, x + 1); i++) {
          const at = i + nx * (j + ny * k);
          if (whole[at]) members.push(at), (whole[at] = 0);
        }
      }
    }
  }
  return { voxels: members.length, voxel: middle(members, grid) };
}

// The voxel at which the tumour is largest in the plane across `axis` (0 sagittal, 1 coronal, 2 axial); null without one.
export function largestSlice(bits, grid, axis) {
  const slices = Array.from({ length: grid.size[axis] }, () => []);
  grid.each((file, ras) => {
    if (bits[file] & WHOLE) slices[grid.voxel(ras)[axis]].push(ras);
  });
  const largest = slices.reduce((best, slice) => (slice.length > best.length ? slice : best), []);
  return largest.length ? middle(largest, grid) : null;
}

// The member nearest to the centre, so that the crosshair never lands in a hole.
function middle(members, grid) {
  const voxels = members.map((ras) => grid.voxel(ras));
  const centre = [0, 1, 2].map((axis) => voxels.reduce((sum, voxel) => sum + voxel[axis], 0) / voxels.length);
  const far = (voxel) => voxel.reduce((sum, at, axis) => sum + (at - centre[axis]) ** 2, 0);
  return voxels.reduce((best, voxel) => (far(voxel) < far(best) ? voxel : best));
}
