import numpy as np
def attn(x,Wq,Wk,Wv,h):
    T,C=x.shape; d=C//h; outs=[]; saved=[]
    Q,K,V=x@Wq,x@Wk,x@Wv
    for i in range(h):
        sl=slice(i*d,(i+1)*d)
        S=Q[:,sl]@K[:,sl].T/np.sqrt(d)
        S=S+np.triu(np.full((T,T),-1e9),1)
        E=np.exp(S-S.max(1,keepdims=True)); A=E/E.sum(1,keepdims=True)
        outs.append(A@V[:,sl]); saved.append(A)
    return np.concatenate(outs,1),saved
rng=np.random.default_rng(0)
X=rng.normal(size=(3,4,6)); Wq,Wk,Wv,Wo=(rng.normal(size=(6,6))*.4 for _ in range(4))
Y=np.zeros_like(X)
for b in range(3):
    o,_=attn(X[b],Wq,Wk,Wv,2)
    Y[b]=o@Wo
target=rng.normal(size=Y.shape)
loss=((Y-target)**2).mean()
dY=2*(Y-target)/Y.size
print(float(Y.sum()))
