import numpy as np
rng=np.random.default_rng(5)
x=rng.normal(size=(6,5)); Wq,Wk,Wv=(rng.normal(size=(5,4)) for _ in range(3)); p_drop=0.25
keep=rng.random((6,6))>=p_drop
dout=rng.normal(size=(6,4))
q,k,v=x@Wq,x@Wk,x@Wv
s=q@k.T/np.sqrt(4)
e=np.exp(s-s.max(-1,keepdims=True)); P=e/e.sum(-1,keepdims=True)
Pd=P*keep/(1-p_drop)
out=Pd@v
dPd=dout@v.T; dP=dPd*keep/(1-p_drop); dS=P*(dP-(P*dP).sum(-1,keepdims=True))/2
print(float(out.sum()))
