// Loudness of a sound (ITU-R BS.1770, gated), to bring two sounds to one level.
const MEASURED_SECONDS = 90 // of a longer sound, its beginning
const BLOCK_SECONDS = 0.4

// Decibels relative to full scale, of the parts at the beginning of a sound; null for a silent or missing one.
export async function loudness(sound, shelf) {
  const powers = []
  let seconds = 0
  for (let k = 0; k < sound.urls.length && seconds < MEASURED_SECONDS; k++) {
    const buffer = await shelf.load(sound, k)
    if (!buffer) continue
    seconds += buffer.duration
    powers.push(...blocks(await weighted(buffer), buffer.sampleRate))
  }
  const level = (p) => -0.691 + 10 * Math.log10(Math.max(p, 1e-12))
  const mean = (list) => list.reduce((a, b) => a + b, 0) / Math.max(list.length, 1)
  const heard = powers.filter((p) => level(p) > -70)
  if (!heard.length) return null
  const gate = level(mean(heard)) - 10
  return level(mean(heard.filter((p) => level(p) > gate)))
}

// K-weighting: a high shelf for the head, then a high-pass.
async function weighted(buffer) {
  const offline = new OfflineAudioContext(1, buffer.length, buffer.sampleRate)
  const source = new AudioBufferSourceNode(offline, { buffer })
  const shelf = new BiquadFilterNode(offline, { type: "highshelf", frequency: 1682, gain: 4 })
  const pass = new BiquadFilterNode(offline, { type: "highpass", frequency: 38, Q: -6 })
  source.connect(shelf).connect(pass).connect(offline.destination)
  source.start()
  return (await offline.startRendering()).getChannelData(0)
}

function blocks(samples, rate) {
  const size = Math.min(Math.round(BLOCK_SECONDS * rate), samples.length), found = []
  for (let from = 0; from + size <= samples.length; from += Math.max(1, size >> 2)) {
    let sum = 0
    for (let i = from; i < from + size; i++) sum += samples[i] * samples[i]
    found.push(sum / size)
  }
  return found
}
