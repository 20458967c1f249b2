// What people call the nodes in their own code, beside the ids.
import type { NodeId } from '../engine/graph.ts';

/**
 * Compared without case and without separators: "attnweights" is also attn_weights,
 * attnWeights and attn-weights. A name that is in use for two nodes is in no list: `xq` (x' or Q), `q_proj`
 * (W_Q or Q), `A`, `mask`, `z`.
 */
export const ALIASES: Readonly<Record<NodeId, string>> = {
  x: `xi xkv xkey xkeys input inputs inp hiddenstates hiddenstate embeddings embedding embeds
    memory source src kvinput keyinput encoderhiddenstates encoderoutput encoderoutputs encoderout keyvaluestates`,
  xPrime: `xp xj xquery xqueries tgt queryinput inputq inputquery decoderhiddenstates decoderinput`,
  xValue: `xvalues xval inputv inputvalue valueinput`,
  W_Q: `wquery weightq qweight queryweight wqweight wqueryweight qprojweight queryprojweight toqweight
    qlinearweight linearqweight fcqweight qkernel querykernel qprojkernel`,
  W_K: `wkey weightk kweight keyweight wkweight wkeyweight kprojweight keyprojweight tokweight
    klinearweight linearkweight fckweight kkernel keykernel kprojkernel`,
  W_V: `wvalue weightv vweight valueweight wvweight wvalueweight vprojweight valueprojweight tovweight
    vlinearweight linearvweight fcvweight vkernel valuekernel vprojkernel`,
  W_O: `wout woutput weighto oweight woweight woutweight oprojweight outprojweight outputprojweight toout0weight
    tooutweight olinearweight linearoutweight linearoweight fcoweight okernel outkernel outprojkernel cprojweight`,
  b_Q: `bquery biasq qbias querybias wqbias wquerybias qprojbias queryprojbias toqbias qlinearbias linearqbias`,
  b_K: `bkey biask kbias keybias wkbias wkeybias kprojbias keyprojbias tokbias klinearbias linearkbias`,
  b_V: `bvalue biasv vbias valuebias wvbias wvaluebias vprojbias valueprojbias tovbias vlinearbias linearvbias`,
  b_O: `bout boutput biaso obias outbias wobias woutbias oprojbias outprojbias outputprojbias tooutbias
    toout0bias olinearbias linearoutbias linearobias cprojbias`,
  gamma_Q: `qnormweight qnormscale qnormgain querynormweight qlayernormweight qgain qlnweight normqweight`,
  gamma_K: `knormweight knormscale knormgain keynormweight klayernormweight kgain klnweight normkweight`,
  beta_Q: `qnormbias querynormbias qlayernormbias qlnbias normqbias`,
  beta_K: `knormbias keynormbias klayernormbias klnbias normkbias`,
  sinks: `sink attnsink attnsinks attentionsink attentionsinks sinklogit sinklogits sinkweight`,
  B: `relativeattentionbias relativeattentionbiasweight relativepositionbiastable relativepositionbias relbias
    relposbias relpositionbias positionbiastable biastable posbias positionbias attnbias rpb`,
  Zb: `biasedscores scoresbiased scoreswithbias biasedlogits logitsbiased biasedattnscores scoresplusbias`,
  headScale: `headscales scaleperhead perheadscale logitscale`,
  temperature: `temperatures temp attnscale attnscales querytemperature logn lognscale`,
  W_gate: `gateweight gateprojweight wg outputgateweight`,
  b_gate: `gatebias gateprojbias outputgatebias`,
  gate: `gates gatelogit gatelogits gatescore gatescores outputgate`,
  Og: `ogated gatedo gatedoutput gatedheads gatedheadoutput`,
  gamma_O: `subln sublnweight headnormweight groupnormweight`,
  W_DKV: `kvaprojweight kvdownprojweight wkvdown wdownkv`,
  W_DQ: `qaprojweight qdownprojweight wqdown wdownq`,
  gamma_DKV: `kvalayernormweight kvnormweight`,
  gamma_DQ: `qalayernormweight`,
  W_KR: `wkrope krweight kropeweight`,
  W_QR: `wqrope qrweight qropeweight`,
  gamma_pre: `inputlayernormweight prenormweight ln1weight norm1weight`,
  beta_pre: `inputlayernormbias prenormbias ln1bias norm1bias`,
  gamma_out: `postattentionlayernormweight outputnormweight`,
  beta_out: `outputnormbias`,
  gamma_post: `postnormweight`,
  beta_post: `postnormbias`,
  cKV: `compressedkv kvlatent latentkv ckvlatent`,
  cQ: `compressedq qlatent latentq`,
  cKVn: `compressedkvnormed kvlatentnormed`,
  cQn: `compressedqnormed qlatentnormed`,
  KR: `kpe`,
  QR: `qpe`,
  KRs: `kperotated kperot`,
  QRs: `qperotated qperot`,
  xn: `xnorm xnormed normedx xnormalized lnx normx normedhiddenstates`,
  ya: `attnresult attnblockoutput`,
  yr: `residualsum attnresidual`,
  null_K: `nullkey nullkeys knull`,
  null_V: `nullvalue nullvalues vnull`,
  Qn: `qnorm qnormed qnormalized qnormalised querynorm querynormed qhat`,
  Kn: `knorm knormed knormalized knormalised keynorm keynormed khat`,
  Q: `query queries querystates querylayer qstates qall`,
  K: `key keys keystates keylayer kstates kall`,
  V: `value values valuestates valuelayer vstates vall`,
  Qh: `qhead qheads queryheads queryhead qperhead qsplit qrot qrotated qrope qroped qembed`,
  Kh: `khead kheads keyheads keyhead kperhead ksplit krot krotated krope kroped kembed`,
  Vh: `vhead vheads valueheads valuehead vperhead vsplit`,
  S: `score scores attnscore attnscores attentionscore attentionscores rawscore rawscores logit logits attnlogits
    attentionlogits rawlogits qk qkt kq dot dots dotproduct dotproducts sim similarity similarities energy energies
    qkmatmul`,
  Z: `scaledscore scaledscores scoresscaled scaledlogits logitsscaled scaledattnscores attnscoresscaled scaleddots
    cappedscores cappedlogits softcappedscores softcappedlogits preatt`,
  M: `maskedscore maskedscores scoresmasked maskedlogits logitsmasked maskedattnscores attnscoresmasked maskeddots`,
  P: `attn attns att attention attentions weights attnweight attnweights attentionweight attentionweights attweights
    prob probs probability probabilities attnprob attnprobs attentionprob attentionprobs pattn softmax softmaxout
    softmaxoutput alpha alphas attnmatrix attentionmatrix attnmap attnmaps attentionmap attentionmaps attndist
    attentiondistribution pattern attnpattern attentionpattern`,
  Pd: `pdrop pdropped pdropout droppedp attndropped droppedattn attnweightsdropped droppedattnweights probsdropped
    droppedprobs attnprobsdropped droppedattnprobs attnweightsdropout attnprobsdropout`,
  O: `oh ohead oheads headout headouts headoutput headoutputs headsout perheadoutput perheadoutputs outheads
    outputheads attnoutheads`,
  lambda_full: `lambda lam lmbda lambd lambdaval lambdavalue`,
  Pdiff: `diffattn diffattnweights diffweights differentialweights attndiff diffprobs`,
  On: `sublnout sublnoutput normedheads headsnormed onormed`,
  Os: `oscaled headsscaled scaledheads`,
  C: `context contexts ctx contextlayer contextvector contextvectors contextvec concat concatheads concatenated
    merged mergedheads headsmerged mergeheads`,
  y: `out output outputs result results attnout attnoutput attentionout attentionoutput yhat outputstates`,
  f: `loss lossvalue objective cost`,
};
