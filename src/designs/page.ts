/** The page with the plots: one file with all that it needs in it. */

import { DESIGNS } from './designs.ts'
import { findings } from './findings.ts'
import type { Result } from './result.ts'
import { settingsLine } from './words.ts'

/** What the page is made of, beside the figures. */
export interface PageParts {
  /** `page.html`, with places for the rest. */
  template: string
  /** uPlot. */
  script: string
  style: string
}

/** Reads the parts: they come with the program. */
export async function readPageParts(): Promise<PageParts> {
  const uplot = (name: string) => Bun.file(Bun.resolveSync(`uplot/dist/${name}`, import.meta.dir)).text()
  const [template, script, style] = await Promise.all([
    Bun.file(new URL('./page.html', import.meta.url)).text(),
    uplot('uPlot.iife.min.js'),
    uplot('uPlot.min.css'),
  ])
  return { template, script, style }
}

/** Puts the page together. */
export function pageOf(result: Result, { template, script, style }: PageParts): string {
  const { settings, machine, version, at } = result
  const data = {
    result,
    designs: DESIGNS,
    findings: findings(result),
    settings: settingsLine(settings),
    machine: `Measured by millrace bench designs: ${machine}; Millrace ${version}; ${at}.`,
  }
  const places: Record<string, string> = {
    style,
    // What a plot shows must not be able to end the script that it stands in.
    script: script.replaceAll('</script', '<\\/script'),
    data: JSON.stringify(data).replaceAll('<', '\\u003c'),
  }
  // By a function: `$&` and the like in what is put in mean nothing.
  return template.replace(/\/\*\{(\w+)\}\*\//g, (place, name: string) => places[name] ?? place)
}
