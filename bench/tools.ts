/** The programs that questions need beside Bun: whether they are there, and how to install them. */

const TOOLS = {
  wrk: { debian: 'wrk', what: 'drives the closed-loop load' },
  go: { debian: 'golang-go', what: 'builds the known designs' },
  'redis-server': { debian: 'redis-server', what: 'is the queue of the peer' },
  npm: { debian: 'npm', what: 'installs the peer into its own folder' },
} as const

/** A program by its name. */
export type Tool = keyof typeof TOOLS

/** What is missing of `tools`, as lines that say what to do; empty when all are there. */
export function missingTools(tools: readonly Tool[], find: (tool: string) => string | null = Bun.which): string[] {
  const missing = [...new Set(tools)].filter((tool) => find(tool) === null)
  if (missing.length === 0) return []
  return [
    ...missing.map((tool) => `${tool} is missing: it ${TOOLS[tool].what}.`),
    `On Debian: apt-get install -y ${missing.map((tool) => TOOLS[tool].debian).join(' ')}`,
  ]
}
