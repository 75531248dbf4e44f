/**
 * Which folder of src/ may import which: the arrows of docs/ARCHITECTURE.md, held by dependency-cruiser (`npm run arrows`).
 * Type imports count as much as any other.
 */

/** Every room of src/: the rooms it may import from, and why no others. Its own files it may always import. */
const rooms = {
  platform: {
    mayImport: [],
    why: 'It is the one door to the outside: everything stands on it, so it stands on nothing of ours.',
  },
  json: {
    mayImport: [],
    why: 'It only scans bytes; intake, journal and delivery use it alike because it knows none of them.',
  },
  config: {
    mayImport: ['platform'],
    why: 'It turns argv and environment into values; what they mean is for server.ts to hand out.',
  },
  observe: {
    mayImport: ['platform'],
    why: 'Every stage reports to it, so it can know none of them.',
  },
  journal: {
    mayImport: ['json', 'observe', 'platform'],
    why: 'It is the one thing between intake and delivery, and knows neither; server.ts hands it its options.',
  },
  destination: {
    mayImport: ['json', 'observe', 'platform'],
    why: 'It takes a finished object: where that came from is not its business; server.ts hands it its options.',
  },
  dispatch: {
    mayImport: [],
    why: 'It is a library of its own that takes any job, and runs anywhere.',
  },
  intake: {
    mayImport: ['journal', 'json', 'observe', 'platform'],
    why: 'It never knows that S3 exists: what it accepted goes into the journal, and no further.',
  },
  delivery: {
    mayImport: ['dispatch', 'journal', 'destination', 'json', 'observe', 'platform'],
    why: 'It never knows that HTTP exists: what it stores comes out of the journal.',
  },
  lanes: {
    mayImport: ['config', 'intake', 'journal', 'observe', 'platform'],
    why: 'It joins several intakes: what lanes deliver is not its business, and what a lane is made of is for lane.ts.',
  },
  designs: {
    mayImport: ['dispatch', 'observe', 'platform'],
    why: 'It looks at Millrace from outside, as a process like the others: what is inside is not its business.',
  },
  commands: {
    mayImport: [
      'config',
      'designs',
      'intake',
      'delivery',
      'dispatch',
      'journal',
      'destination',
      'json',
      'observe',
      'platform',
    ],
    why: 'Beside the server, not on top of it: a command looks into every room, and only the program runs it.',
  },
}

/** One rule a room: nothing of ours outside the room but what the table allows. */
const roomRules = Object.entries(rooms).map(([room, { mayImport, why }]) => ({
  name: `${room}-imports`,
  comment: why,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [room, ...mayImport].map((allowed) => `^src/${allowed}/`) },
}))

/** Where the program begins, where a delivery thread, a lane's own process and a known design do, and the libraries with their threads. */
const entries = [
  '^src/cli\\.ts$',
  '^src/millrace\\.ts$',
  '^src/delivery/thread\\.ts$',
  '^src/lane-process\\.ts$',
  '^src/designs/known-design\\.ts$',
  '^src/dispatch/index\\.ts$',
  '^src/dispatch/thread-entry\\.ts$',
]

/** AssemblyScript: what runs is what `npm run wasm` makes of it. */
const assembly = '^src/[^/]+/assembly/'

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: 'every-room-is-known',
      comment: 'A new folder in src/ says in the table above what it may import, before it imports anything.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(rooms).join('|')})/` },
      to: {},
    },
    {
      name: 'dispatch-runs-anywhere',
      comment: 'Neither node: nor bun: nor a package: the library works wherever JavaScript does.',
      severity: 'error',
      from: { path: '^src/dispatch/' },
      to: { pathNot: '^src/' },
    },
    {
      name: 'only-cli-imports-server',
      comment: 'The composition root knows every part, so a part that knew it would know them all.',
      severity: 'error',
      from: { pathNot: '^src/(cli|millrace|supervisor)\\.ts$' },
      to: { path: '^src/server\\.ts$' },
    },
    {
      name: 'nobody-imports-cli',
      comment: 'It is the program’s entry: importing it runs it.',
      severity: 'error',
      from: {},
      to: { path: '^src/cli\\.ts$' },
    },
    {
      name: 'no-cycles',
      comment: 'Two modules that need each other are one module, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'reached-from-an-entry',
      comment: 'What neither the command, a thread nor the library reaches is dead: wire it in or delete it.',
      severity: 'error',
      from: { path: entries },
      to: { path: '^src/', pathNot: [...entries, assembly], reachable: false },
    },
    {
      name: 'only-compiled',
      comment: 'AssemblyScript looks like TypeScript and is none: its numbers have other types, and wrap.',
      severity: 'error',
      from: { pathNot: assembly },
      to: { path: assembly },
    },
    {
      name: 'assembly-stays-within',
      comment: 'What is compiled to WebAssembly can’t use what is not.',
      severity: 'error',
      from: { path: assembly },
      to: { pathNot: assembly },
    },
    {
      name: 'production-packages-only',
      comment: 'npm start installs no devDependencies, so src/ can’t use them.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolves',
      comment: 'An import that leads nowhere escapes every rule above.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // Type-only imports are arrows, too: look at the source before TypeScript drops them.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    builtInModules: { add: ['bun', 'bun:ffi', 'bun:jsc', 'bun:sqlite', 'bun:test'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['bun', 'import', 'types'] },
  },
}
