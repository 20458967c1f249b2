import numpy as np
rng=np.random.default_rng(3)
H,P,T,D,C=2,3,4,3,5
pk,pv=rng.normal(size=(H,P,D)),rng.normal(size=(H,P,D))
x=rng.normal(size=(T,C)); W={n:rng.normal(size=(C,H*D))*.5 for n in 'qkv'}; Wo=rng.normal(size=(H*D,C))*.5
sp=lambda a:a.reshape(T,H,D).transpose(1,0,2)
q,k,v=sp(x@W['q']),sp(x@W['k']),sp(x@W['v'])
K=np.concatenate([pk,k],1); V=np.concatenate([pv,v],1)
s=q@K.transpose(0,2,1)/np.sqrt(D)
mask=np.arange(P+T)[None,:]<=P+np.arange(T)[:,None]
s=np.where(mask,s,-np.inf)
e=np.exp(s-s.max(-1,keepdims=True)); p=e/e.sum(-1,keepdims=True)
y=(p@V).transpose(1,0,2).reshape(T,-1)@Wo
target=rng.normal(size=y.shape)
dy=(y-target)
loss=0.5*((y-target)**2).sum()
print(float(y.sum()))
