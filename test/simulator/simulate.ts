import { simulate } from './run.ts'
const first=Number(process.argv[2]), n=Number(process.argv[3]); const v=process.argv[4]
const s=performance.now(); const tot=new Map<string,number>(); let ms=0, bad=0
for(let i=first;i<first+n;i++){ const r=await simulate(i, v?console.log:undefined); ms+=r.coverage.simulatedMs; for(const [k,c] of r.coverage.counts) tot.set(k,(tot.get(k)??0)+c)
 if(r.breach){bad++; console.log('FAIL',i,r.breach.slice(0,400))} if (v) console.log(r.digest)}
console.log(bad,'bad', (n/((performance.now()-s)/1000)).toFixed(1),'/s', (ms/3.6e6).toFixed(0),'h', [...tot].sort())
