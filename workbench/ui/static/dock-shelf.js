// Decoded parts of sounds, as many as fit, at the speeds that are played, and the envelope of each that was ever decoded.
import { atSpeed } from "./dock-speeds.js"

const LIMIT_BYTES = 96 * 2 ** 20
const PEAKS_A_SECOND = 50

const nameOf = (url) => url.replace(/^\/api\/(jobs|runs)\//, "") // a run's parts are those of the job that made it
const keyOf = (url, rate) => (rate === 1 ? nameOf(url) : `${nameOf(url)}@${rate}`)

export class Shelf {
  constructor(context, arrived) {
    this.context = context // a function: the first sound makes the context
    this.arrived = arrived
    this.buffers = new Map() // oldest first
    this.peaks = new Map()
    this.coming = new Map()
    this.failed = new Map()
    this.bytes = 0
  }

  get(sound, k, rate = 1) {
    const name = keyOf(sound.urls[k], rate), found = this.buffers.get(name)
    if (found) { this.buffers.delete(name); this.buffers.set(name, found) }
    return found
  }

  envelope(sound, k) { return this.peaks.get(nameOf(sound.urls[k])) }

  problem(sound, k) { return this.failed.get(nameOf(sound.urls[k])) }

  // Fetch and decode a part once, whoever asks; resolves to its buffer at this speed, or to null if it cannot be had.
  load(sound, k, rate = 1) {
    const url = sound.urls[k], name = keyOf(url, rate), here = this.get(sound, k, rate)
    if (here) return Promise.resolve(here)
    const make = () => (rate === 1 ? this.fetch(url, name) : this.load(sound, k).then((buffer) => buffer && this.stretch(buffer, rate, name)))
    if (!this.coming.has(name)) this.coming.set(name, make().finally(() => this.coming.delete(name)))
    return this.coming.get(name)
  }

  async stretch(buffer, rate, name) {
    const made = await atSpeed(buffer, rate)
    this.keep(name, made, false)
    return made
  }

  async fetch(url, name) {
    try {
      const response = await fetch(url)
      if (!response.ok) throw new Error(response.status === 404 ? "it is no longer there" : `HTTP ${response.status}`)
      const buffer = await this.context().decodeAudioData(await response.arrayBuffer())
      this.failed.delete(name)
      this.keep(name, buffer)
      this.arrived()
      return buffer
    } catch (error) {
      this.failed.set(name, { at: performance.now(), why: String(error.message ?? error) })
      return null
    }
  }

  keep(name, buffer, isItself = true) {
    const size = (b) => 4 * b.length * b.numberOfChannels
    this.buffers.set(name, buffer)
    this.bytes += size(buffer)
    if (isItself && !this.peaks.has(name)) this.peaks.set(name, envelopeOf(buffer))
    for (const [other, old] of this.buffers) {
      if (this.bytes <= LIMIT_BYTES || other === name) break
      this.buffers.delete(other)
      this.bytes -= size(old)
    }
  }
}

function envelopeOf(buffer) {
  const samples = buffer.getChannelData(0), n = Math.max(1, Math.ceil(buffer.duration * PEAKS_A_SECOND))
  const step = samples.length / n, peaks = new Float32Array(n)
  for (let i = 0; i < n; i++) {
    const end = Math.min(samples.length, Math.floor((i + 1) * step))
    let peak = 0
    for (let j = Math.floor(i * step); j < end; j += 2) { const a = Math.abs(samples[j]); if (a > peak) peak = a }
    peaks[i] = peak
  }
  return peaks
}
