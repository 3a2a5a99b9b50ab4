// Stretches sounds beside the page: a long chunk takes a tenth of a second.
import { stretch } from "./dock-stretch.js"

onmessage = ({ data: { id, channels, sampleRate, rate } }) => {
  const made = stretch(channels, sampleRate, rate)
  postMessage({ id, made }, made.map((one) => one.buffer))
}
