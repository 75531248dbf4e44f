/** Reads the little that is needed of S3's XML; tolerant, since some answers are cut, and some aren't XML at all. */

/** The text of the first `<name>` element without elements in it; undefined when there is none. */
export function element(xml: string, name: string): string | undefined {
  if (xml === '') return undefined
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text?.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity] ?? '')
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
