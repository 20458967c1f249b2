import numpy as np, math
B,T,C,NH=2,4,6,2
rng=np.random.default_rng(0)
inp=rng.normal(size=B*T*3*C); dout=rng.normal(size=B*T*C)
def attention_forward(out,preatt,att,inp,B,T,C,NH):
    C3=C*3; hs=C//NH; scale=1.0/math.sqrt(hs)
    for b in range(B):
        for t in range(T):
            for h in range(NH):
                q=inp[b*T*C3+t*C3+h*hs:b*T*C3+t*C3+h*hs+hs]
                row=b*NH*T*T+h*T*T+t*T
                for t2 in range(t+1):
                    k=inp[b*T*C3+t2*C3+h*hs+C:b*T*C3+t2*C3+h*hs+C+hs]
                    preatt[row+t2]=np.dot(q,k)*scale
                m=preatt[row:row+t+1].max()
                e=np.exp(preatt[row:row+t+1]-m)
                att[row:row+t+1]=e/e.sum()
                for t2 in range(t+1):
                    v=inp[b*T*C3+t2*C3+h*hs+2*C:b*T*C3+t2*C3+h*hs+2*C+hs]
                    out[b*T*C+t*C+h*hs:b*T*C+t*C+h*hs+hs]+=att[row+t2]*v
preatt=np.zeros(B*NH*T*T); att=np.zeros(B*NH*T*T); out=np.zeros(B*T*C)
attention_forward(out,preatt,att,inp,B,T,C,NH)
print(float(out.sum()))
