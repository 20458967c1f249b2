import numpy as np
rng=np.random.default_rng(1)
H,T,D,C=4,6,3,7
x=rng.normal(size=(T,C)); Wq,Wk,Wv=(rng.normal(size=(C,H*D))*.5 for _ in range(3)); Wo=rng.normal(size=(H*D,C))*.5
def heads(t): return t.reshape(T,H,D).transpose(1,0,2)
q,k,v=heads(x@Wq),heads(x@Wk),heads(x@Wv)
slopes=2.0**(-8*np.arange(1,H+1)/H)
dist=np.abs(np.arange(T)[:,None]-np.arange(T)[None,:])
bias=-slopes[:,None,None]*dist
s=q@k.transpose(0,2,1)/np.sqrt(D)+bias
e=np.exp(s-s.max(-1,keepdims=True)); p=e/e.sum(-1,keepdims=True)
y=(p@v).transpose(1,0,2).reshape(T,H*D)@Wo
loss=0.5*(y**2).sum()
dy=y
print(float(y.sum()))
