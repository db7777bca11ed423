// Browsers start no worker from a file. Where a page is opened as one, its search runs in a hidden
// frame instead, which knows of a worker what this theme's search uses.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.appendChild(frame)
      this.inside = frame.contentWindow
      this.waiting = []
      window.addEventListener("message", event => {
        if (event.source !== this.inside) return
        if (event.data === "worker-is-loaded") return this.start()
        this.dispatchEvent(new MessageEvent("message", { data: event.data }))
      })
      const page = this.inside.document
      page.open()
      page.write(`<script>
        var postMessage = data => parent.postMessage(data, "*", [])
        var importScripts = () => Promise.resolve()
      </script><script src="${url}" onload="parent.postMessage('worker-is-loaded', '*')"></script>`)
      page.close()
    }
    start() {
      const waiting = this.waiting
      this.waiting = null
      waiting.forEach(data => this.inside.dispatchEvent(new MessageEvent("message", { data })))
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data)
      else this.inside.dispatchEvent(new MessageEvent("message", { data }))
    }
    terminate() {
      this.inside.frameElement.remove()
    }
  }
}
