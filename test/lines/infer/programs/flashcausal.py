import numpy as np
def flash(q,k,v,Br=3,Bc=2):
    n,d=q.shape; o=np.zeros_like(v); L=np.zeros(n)
    for i in range(0,n,Br):
        m=np.full(min(Br,n-i),-np.inf); l=np.zeros_like(m); acc=np.zeros((len(m),v.shape[1]))
        for j in range(0,min(i+Br,n),Bc):
            s=q[i:i+Br]@k[j:j+Bc].T/np.sqrt(d)
            r=np.arange(i,i+len(m))[:,None]; c=np.arange(j,j+s.shape[1])[None]
            s=np.where(r>=c,s,-np.inf)
            mn=np.maximum(m,s.max(1)); p=np.exp(s-mn[:,None]); f=np.exp(m-mn)
            l=l*f+p.sum(1); acc=acc*f[:,None]+p@v[j:j+Bc]; m=mn
        o[i:i+Br]=acc/l[:,None]; L[i:i+Br]=m+np.log(l)
    return o,L
rng=np.random.default_rng(0)
q,k,v,do=(rng.normal(size=(8,4)) for _ in range(4))
o,L=flash(q,k,v)
s=q@k.T/2; s[np.triu_indices(8,1)]=-np.inf
p=np.exp(s-L[:,None]); dv=p.T@do; dp=do@v.T; ds=p*(dp-(do*o).sum(1)[:,None])/2
print(float(o.sum()))
