/** The barest server that Bun has, as a program: it reads each body and answers 202. What any Bun server is measured against. */

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  routes: {
    '/payload': async (request) => {
      await request.arrayBuffer()
      return new Response(null, { status: 202 })
    },
  },
})
console.log(`listens on http://127.0.0.1:${server.port}`)
