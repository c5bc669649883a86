// The voxel grid of a study: file order ↔ the RAS order in which NiiVue addresses voxels ↔ RAS mm.

export class Grid {
  // `image` is an NVImage. Its voxels lie in file order; NiiVue counts them after turning them to RAS.
  constructor(image) {
    this.image = image;
    this.size = image.dimsRAS.slice(1, 4);
    this.start = image.img2RASstart.reduce((sum, one) => sum + one, 0);
    this.step = image.img2RASstep;
    this.count = this.size[0] * this.size[1] * this.size[2];
    this.voxelMl = image.hdr.pixDims.slice(1, 4).reduce((product, edge) => product * Math.abs(edge), 1) / 1000;
  }

  // Where the voxel (x, y, z), counted in RAS, lies in the file; -1 when it is outside.
  inFile([x, y, z]) {
    const inside = x >= 0 && y >= 0 && z >= 0 && x < this.size[0] && y < this.size[1] && z < this.size[2];
    return inside ? this.start + x * this.step[0] + y * this.step[1] + z * this.step[2] : -1;
  }

  // Visit every voxel in RAS order: visit(index in file, index in RAS order).
  each(visit) {
    const [nx, ny, nz] = this.size;
    const [sx, sy, sz] = this.step;
    let ras = 0;
    for (let z = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        let file = this.start + y * sy + z * sz;
        for (let x = 0; x < nx; x++, file += sx) visit(file, ras++);
      }
    }
  }

  // The voxel, counted in RAS, of an index in RAS order.
  voxel(ras) {
    const [nx, ny] = this.size;
    return [ras % nx, Math.floor(ras / nx) % ny, Math.floor(ras / (nx * ny))];
  }

  // The nearest voxel to a position in RAS mm.
  near(mm) {
    return [...this.image.mm2vox([...mm])].slice(0, 3).map(Math.round);
  }
}
