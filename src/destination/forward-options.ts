/** Which servers `--to http://a:8080,http://b:8080` names, checked, as plain data. */

/** Servers that objects are forwarded to: each as `http://host:port`. Plain data, so that it can be sent to a thread. */
export interface ForwardPlace {
  servers: string[]
}

/** How many servers there may be: each is checked every few seconds, by every thread. */
export const SERVERS_MAX = 32

/** Reads the URLs; returns what is wrong with them as a text, without what may be a secret. */
export function forwardPlaceFrom(to: string): ForwardPlace | string {
  const servers: string[] = []
  for (const text of to.split(',').map((part) => part.trim())) {
    const url = URL.parse(text)
    if (url?.username || url?.password) return 'user and password do not belong in the URL of a server'
    if (url === null || !/^https?:$/.test(url.protocol)) return `'${text}' is not an http:// or https:// URL`
    if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
      return `'${text}' has more than a host and a port: servers are named as http://host:8080`
    }
    if (servers.includes(url.origin)) return `${url.origin} is named twice`
    servers.push(url.origin)
  }
  return servers.length > SERVERS_MAX ? `${servers.length} servers, of ${SERVERS_MAX} allowed` : { servers }
}
