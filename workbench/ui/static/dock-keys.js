// Keys of the player, as in editors. They are left alone while somebody types, or uses a control of the page.
const TYPING = "input:not([type=range]), textarea, select, [contenteditable=''], [contenteditable=true], [role=textbox], " +
  "[role=combobox], [role=listbox], [role=menu], [role=grid], [data-testid=stDataFrame]"
const PRESSING = "button, a, summary, input, [role=button], [role=radio], [role=tab], [role=checkbox], [role=switch], " +
  "[role=slider], [role=option], [role=menuitem]"
const OWN_KEYS = new Set([" ", "Enter", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"])

export const KEYS = [
  ["Space", "play or pause"],
  ["J · K · L", "back 5 s · stop · play, then on 5 s"],
  ["← →", "2 s; with Shift 0.1 s"],
  [", .", "previous or next chunk"],
  ["Home End", "beginning or end"],
  ["I · O", "loop from here · to here"],
  ["Esc", "no loop"],
  ["X", "A or B, at the same instant"],
  ["< >", "slower or faster, at the same pitch"],
  ["M", "mute"],
  ["?", "these keys"],
]

// Call ``act`` with the name of an action for each key that is the player's; ``isOwn`` tells its own elements.
export function listen(act, host) {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const path = event.composedPath(), target = path[0], isOwn = path.includes(host)
    const within = (selector) => path.some((node) => node instanceof Element && node !== host && node.matches(selector))
    if (!isOwn && (within(TYPING) || document.querySelector("[role=dialog][aria-modal=true]"))) return
    if (!isOwn && within(PRESSING) && OWN_KEYS.has(event.key)) return
    if (isOwn && target.matches("button") && (event.key === " " || event.key === "Enter")) return
    if (isOwn && target.matches("input, select") && OWN_KEYS.has(event.key)) return
    if (!isOwn && within("[role=slider], [role=tab], [role=radio]") && event.key.startsWith("Arrow")) return
    const name = nameOf(event, isOwn)
    if (name && act(name)) event.preventDefault()
  })
}

function nameOf(event, isOwn) {
  const step = event.shiftKey ? "0.1" : "2"
  switch (event.key) {
    case " ": return event.shiftKey ? "" : "toggle"
    case "ArrowLeft": return `by -${step}`
    case "ArrowRight": return `by ${step}`
    case "Home": return isOwn ? "home" : "home if playing"
    case "End": return isOwn ? "end" : "end if playing"
    case "Escape": return "no loop"
    case ",": return "previous"
    case ".": return "next"
    case "<": return "slower"
    case ">": return "faster"
    case "?": return "keys"
    default: return event.shiftKey ? "" : { j: "back", k: "stop", l: "forward", i: "in", o: "out", x: "switch", m: "mute" }[event.key.toLowerCase()] ?? ""
  }
}
