// The service's own NIfTI files of bytes (label maps, probabilities) as they lie on disk.

// Gzipped NIfTI → {plain: the whole file, values: its voxels in file order, a view into it}.
export async function unpack(bytes) {
  const plain = new Uint8Array(await through(new DecompressionStream("gzip"), bytes));
  const header = new DataView(plain.buffer);
  if (header.getInt32(0, true) !== 348 || header.getInt16(70, true) !== 2) {
    throw new Error("this is not a little-endian NIfTI-1 file of bytes; use another program for it");
  }
  return { plain, values: plain.subarray(header.getFloat32(108, true)) };
}

export function pack(plain) {
  return through(new CompressionStream("gzip"), plain);
}

function through(stream, bytes) {
  return new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer();
}
